"""What every request passes before the routes: who it is from, how often they ask, and how much they send.

Plain ASGI, inside the guard that puts the headers on. Answers refusals itself, as problems; answers HEAD with what GET
would answer, without the body; and notes in the access log who was refused a command.
"""

from http import HTTPStatus
from typing import Final, final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from services.audit.api.access.caller import AccessDenied, Caller, Denial
from services.audit.api.access.doorkeeper import Doorkeeper
from services.audit.api.access.rates import Rates
from services.audit.api.access.require import DENIED, found_in
from services.audit.api.problems import Problem, denied_problem, problem_response
from services.audit.api.security import Application, Message, Receive, Scope, Send

URL_BYTES_MAX: Final = 8_192
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN: Final = ("/health/", "/metrics")
"""What monitoring asks, however often."""


@final
class Entrance:
    """Wraps the application. ``body_bytes_max`` is the size of the largest body that is read."""

    def __init__(self, app: Application, doorkeeper: Doorkeeper, rates: Rates, body_bytes_max: int) -> None:
        self._app: Final = app
        self._doorkeeper: Final = doorkeeper
        self._rates: Final = rates
        self._body_bytes_max: Final = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        found = found_in(connection, self._doorkeeper)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            self._note(scope, connection, "websocket")
            return
        refusal = self._refusal(scope, connection, found)
        if refusal is not None:
            await problem_response(Request(scope), refusal)(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._answer_head(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive, self._body_bytes_max), send)
        self._note(scope, connection, str(scope["method"]))

    def _refusal(self, scope: Scope, connection: HTTPConnection, found: Caller | AccessDenied) -> Problem | None:
        """Return why a request goes no further."""
        length = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
        if length > URL_BYTES_MAX:
            detail = f"expected a path and query of at most {URL_BYTES_MAX} bytes, found {length}"
            return Problem(HTTPStatus.REQUEST_URI_TOO_LONG, "url_too_long", detail)
        path = str(scope["path"])
        if not path.startswith(OPEN):
            wait_s = self._rates.take(_bucket(connection, found))
            if wait_s:
                label = found.label if isinstance(found, Caller) else _address(connection)
                detail = f"more than {self._rates.per_s} requests a second from {label}; try again in {wait_s} s"
                denied = AccessDenied(
                    Denial.TOO_MANY_REQUESTS, detail, found if isinstance(found, Caller) else None, wait_s
                )
                scope[DENIED] = denied
                return denied_problem(denied)
        told = connection.headers.get("content-length", "")
        if told.isdecimal() and int(told) > self._body_bytes_max:
            return Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"expected a body of at most {self._body_bytes_max} bytes, found {told}",
            )
        return None

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer like GET, without the body; a stream ends with its head."""
        is_over = False

        async def head_only(message: Message) -> None:
            nonlocal is_over
            if message["type"] == "http.response.start":
                await send(message)
            elif is_over:
                raise OSError("a HEAD request takes no body")
            else:
                is_over = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                if message.get("more_body", False):
                    raise OSError("a HEAD request takes no body")

        inner = dict(scope, method="GET")
        try:
            await self._app(inner, receive, head_only)
        except (ClientDisconnect, OSError):
            if not is_over:
                raise
        for name in ("route", DENIED):
            if name in inner:
                scope[name] = inner[name]

    def _note(self, scope: Scope, connection: HTTPConnection, method: str) -> None:
        """Note who was refused something that reading does not need, and every bad key."""
        denied = scope.get(DENIED)
        if not isinstance(denied, AccessDenied):
            return
        is_read = method in READS and denied.denial in {Denial.KEY_REQUIRED, Denial.TOO_MANY_REQUESTS}
        if not is_read:
            what = f"{method} {scope['path']}"
            self._doorkeeper.note_denied(denied, _address(connection), what)


def _bounded(receive: Receive, bytes_max: int) -> Receive:
    """Return what receives a body and gives up where it grows larger than it said."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > bytes_max:
                detail = f"expected a body of at most {bytes_max} bytes"
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return message

    return bounded


def _bucket(connection: HTTPConnection, found: Caller | AccessDenied) -> str:
    """Return whose requests are counted together: a key's, or an address's."""
    if isinstance(found, Caller) and found.key_id is not None:
        return f"key {found.key_id}"
    return f"address {_address(connection)}"


def _address(connection: HTTPConnection) -> str:
    return "unknown" if connection.client is None else connection.client.host
