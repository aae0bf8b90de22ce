"""What every call goes through: who asks, and refusals as status codes with the problem beside them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NoReturn, TypeAlias, final

import grpc

from services.audit.api.access import AccessDenied, Caller, Denial, Doorkeeper, Role
from services.audit.api.access.rates import Rates
from services.audit.api.problems import Problem, denied_problem, problem_view

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

PROBLEM_METADATA: Final = "problem-bin"
_OF_READERS: Final = frozenset({Denial.KEY_REQUIRED, Denial.TOO_MANY_REQUESTS})
"""Reasons that are not worth a note where only reading was refused."""

STATUS_CODES: Final[Mapping[HTTPStatus, grpc.StatusCode]] = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.CONFLICT: grpc.StatusCode.ALREADY_EXISTS,
    HTTPStatus.GONE: grpc.StatusCode.OUT_OF_RANGE,
    HTTPStatus.UNPROCESSABLE_ENTITY: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.PRECONDITION_REQUIRED: grpc.StatusCode.FAILED_PRECONDITION,
    HTTPStatus.TOO_MANY_REQUESTS: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


@final
class Calls:
    """Admits callers as often as they may ask, and ends calls with problems."""

    def __init__(self, doorkeeper: Doorkeeper, rates: Rates) -> None:
        self._doorkeeper: Final = doorkeeper
        self._rates: Final = rates

    async def admit(self, context: Context, role: Role, method: str) -> Caller:
        """Return the caller if that role is enough; ends the call otherwise, and notes it as REST's refusals are."""
        address = address_of(context.peer())
        found = self._doorkeeper.identify(_key(context), address)
        try:
            self._check_rate(found, address)
            return self._doorkeeper.admit(found, role)
        except AccessDenied as denied:
            if role is not Role.VIEWER or denied.denial not in _OF_READERS:
                self._doorkeeper.note_denied(denied, address, f"gRPC {method}")
            await self.end(context, denied_problem(denied))

    def _check_rate(self, found: Caller | AccessDenied, address: str) -> None:
        """Raise AccessDenied for who asks too often."""
        caller = found if isinstance(found, Caller) else None
        label = address if caller is None else caller.label
        wait_s = self._rates.take(label)
        if wait_s:
            detail = f"more than {self._rates.per_s} requests a second from {label}; try again in {wait_s} s"
            raise AccessDenied(Denial.TOO_MANY_REQUESTS, detail, caller, wait_s)

    async def end(self, context: Context, problem: Problem) -> NoReturn:
        """End a call with a problem."""
        code = STATUS_CODES.get(problem.status, grpc.StatusCode.INTERNAL)
        content = problem_view(problem, "").model_dump_json(exclude_none=True).encode()
        await context.abort(code, problem.detail, ((PROBLEM_METADATA, content),))
        raise AssertionError("abort raises")


def address_of(peer: str) -> str:
    """Return the address in gRPC's name of a peer: of `ipv4:127.0.0.1:4711` the middle."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer or "unknown"
    return rest.rpartition(":")[0].strip("[]").replace("%5B", "").replace("%5D", "")


def _key(context: Context) -> str | None:
    """Return the key that a call shows; none if it shows none, empty for what is no key."""
    shown = [
        (name, value) for name, value in context.invocation_metadata() or () if name in {"authorization", "x-api-key"}
    ]
    if not shown:
        return None
    name, value = shown[0]
    if len(shown) > 1 or not isinstance(value, str):
        return ""
    if name == "x-api-key":
        return value.strip()
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
