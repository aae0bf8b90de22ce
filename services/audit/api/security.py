"""Put the headers on every answer that keep a browser from doing harm with it, and measure how long it took.

Plain ASGI: a wrapper around the application costs microseconds, a middleware with its own request objects a hundred.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias, final

from services.audit.metrics import AuditMetrics

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

EVENT_STREAM: Final = b"text/event-stream"
CSP: Final = "Content-Security-Policy"
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    CSP: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
"""An answer may bring its own, stricter or looser; the API page does."""

_RAW: Final = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


@final
class Guard:
    """Wraps the application."""

    def __init__(self, app: Application, metrics: AuditMetrics) -> None:
        self._app: Final = app
        self._metrics: Final = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 0
        is_stream = False

        async def guarded(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.get("headers", [])
                names = {name.lower(): value for name, value in own}
                is_stream = names.get(b"content-type", b"").startswith(EVENT_STREAM)
                message["headers"] = [*own, *(header for header in _RAW if header[0] not in names)]
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        finally:
            took_s = time.perf_counter() - begun
            if is_stream:  # it lasts as long as its reader likes: no measure of how quickly requests are answered
                self._metrics.streams.observe(took_s)
            else:
                route = getattr(scope.get("route"), "path", "unmatched")
                self._metrics.requests.labels(route, str(status)).observe(took_s)
