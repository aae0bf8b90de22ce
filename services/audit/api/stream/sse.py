"""Speak server-sent events: a response that ends when its reader does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.audit.api.stream.event import Mark, Message
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.selection import Selection

MEDIA_TYPE: Final = "text/event-stream"
RETRY_MS: Final = 1_000
"""After so long a browser comes back."""

_HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # a proxy that collects what it passes on would hold events back
}


def begin() -> bytes:
    """Return what every stream begins with."""
    return b"retry: %d\n\n" % RETRY_MS


def frame(message: Message, suffix: bytes) -> bytes:
    """Return a message as it stands in the stream; one without a name is a comment that moves the reader's place.

    ``suffix`` stands behind its id.
    """
    place = b"" if message.id is None else b"id: %s%s\n" % (message.id.encode(), suffix)
    if not message.name:
        return b": keep-alive\n%s\n" % place
    return b"%sevent: %s\ndata: %s\n\n" % (place, message.name.encode(), message.data)


@final
class EventStream(Response):
    """A stream to one reader, which leaves the hub when the stream ends, whoever ends it."""

    media_type = MEDIA_TYPE

    def __init__(self, hub: StreamHub, selection: Selection, mark: Mark | None, is_welcome: Callable[[], bool]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._hub: Final = hub
        self._selection: Final = selection
        self._mark: Final = mark
        self._is_welcome: Final = is_welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client goes, takes nothing for too long, or the service stops.

        Raises the 429 when there is no room for it.
        """
        reader = self._hub.enter(self._is_welcome)
        watching = asyncio.create_task(_watch(receive, reader), name="stream reader")
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                reader.close()
            else:
                await send(_body(begin()))
                await self._hub.open(reader, self._selection, self._mark)
            while messages := await self._hub.next(reader):
                suffix = self._hub.id_suffix.encode()
                async with asyncio.timeout(self._hub.limits.stalled_s):
                    await send(_body(b"".join([frame(message, suffix) for message in messages])))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # Nothing more can be written to it: leaving without an end closes the connection.
            self._hub.note_stalled()
        finally:
            self._hub.leave(reader)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _watch(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.close()


def _body(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
