"""The API on a real port in the test's own process, its fold fed by hand, and readers that speak SSE to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp

from services.audit.api.security import Guard
from services.audit.api.server import ApiServer
from services.audit.api.stream.event import Message
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.past import PastEvents
from services.audit.fold import Fold
from services.runtime.ports import Listening
from tests.support.audit_api import AuditApi
from tradebus.config import Address

KEEP_ALIVE = ": keep-alive"


class StreamServer:
    """Serves until the ``async with`` block ends."""

    def __init__(self, fold: Fold, limits: StreamLimits = LIMITS, past: PastEvents | None = None) -> None:
        self.api = AuditApi(fold, limits, past)
        self.hub = self.api.hub
        self.server = ApiServer(
            Guard(self.api.app, self.api.metrics), Listening(Address("127.0.0.1", 0), "test", "test")
        )
        self.url = ""

    async def __aenter__(self) -> Self:
        address = self.server.listen()
        self.url = f"http://{address.host}:{address.port}"
        self._serving = asyncio.create_task(self.server.run())
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=30))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        self.hub.close()
        await self.server.stop()
        await self._serving
        await self.api.__aexit__()

    @asynccontextmanager
    async def stream(self, query: str = "", last_event_id: str | None = None) -> AsyncIterator["SseReader"]:
        """Open a stream."""
        async with open_stream(self.session, f"{self.url}/v1/stream{query}", last_event_id) as reader:
            yield reader


@asynccontextmanager
async def open_stream(
    session: aiohttp.ClientSession, url: str, last_event_id: str | None = None
) -> AsyncIterator["SseReader"]:
    """Open a stream; it must be one."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield SseReader(answer, last_event_id)


class SseReader:
    """Reads server-sent events as the standard says, as far as we use it; remembers the last id from its begin on."""

    def __init__(self, answer: aiohttp.ClientResponse, last_id: str | None = None) -> None:
        self.answer = answer
        self.last_id = last_id
        self.comments = 0
        self._buffer = b""

    async def some(self, bytes_max: int = 1 << 16) -> list[Message]:
        """Return the events that are complete after the next bytes; raises EOFError at the end."""
        data = await self.answer.content.read(bytes_max) if bytes_max else b""
        if not data:
            raise EOFError
        self._buffer += data
        *blocks, self._buffer = self._buffer.split(b"\n\n")
        return [message for block in blocks if (message := self._event(block)) is not None]

    async def until(self, wanted: int) -> list[Message]:
        """Return so many events, or some more that came with the last of them."""
        messages: list[Message] = []
        while len(messages) < wanted:
            messages += await self.some()
        return messages

    async def end(self) -> None:
        """Return when the stream has ended."""
        while await self.answer.content.read(1 << 16):
            pass

    async def named(self, name: str) -> Message:
        """Return the next event with a name."""
        while True:
            for message in await self.some():
                if message.name == name:
                    return message

    def _event(self, block: bytes) -> Message | None:
        fields: dict[str, str] = {}
        for line in block.decode().split("\n"):
            if line.startswith(":"):
                self.comments += 1
                continue
            name, _, value = line.partition(": ")
            assert name not in fields, block
            fields[name] = value
        assert set(fields) <= {"id", "event", "data", "retry"}, block
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return None
        return Message(fields.get("id"), fields["event"], fields["data"].encode())
