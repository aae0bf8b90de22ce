"""Ask over HTTP on connections that stay open, at the least cost: who measures runs on the cores that are measured.

Nothing is parsed but the head's status and length, and nothing is unpacked; like a browser it takes gzip.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, cast, final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body as it was sent."""

    status: int
    body: bytes


@final
class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._pieces: list[bytes] = []
        self._missing = 0
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        """Collect an answer."""
        if not self._status:
            self._pieces.append(data)
            data = b"".join(self._pieces)
            head, end, body = data.partition(_END)
            if not end:
                self._pieces = [data]
                return
            begin = head.lower().index(_LENGTH) + len(_LENGTH)
            self._status = int(head[9:12])
            self._missing = int(head[begin:].partition(b"\r")[0])
            self._pieces = []
            data = body
        self._pieces.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            waiting, answer = self._waiting, Answer(self._status, b"".join(self._pieces))
            self._pieces, self._status, self._waiting = [], 0, None
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let who waits know."""
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the connection ended before its answer"))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


@final
class HttpClients:
    """As many connections as are needed at once, used again and again."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address: Final = (host, int(port))
        self._head: Final = f"Host: {host}:{port}\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
        self._idle: Final[deque[_Connection]] = deque()
        self._all: Final[list[_Connection]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._all:
            each.close()

    @property
    def count(self) -> int:
        """Return how many connections were needed so far."""
        return len(self._all)

    async def get(self, path: str, encoding: str = "gzip, deflate") -> Answer:
        """Return the answer to a request."""
        head = self._head if encoding == "gzip, deflate" else self._head.replace("gzip, deflate", encoding)
        connection = await self._connection()
        answer = await connection.ask(f"GET {path} HTTP/1.1\r\n{head}".encode())
        self._idle.append(connection)
        return answer

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        _, made = await asyncio.get_running_loop().create_connection(_Connection, *self._address)
        self._all.append(made)
        return made
