"""Read server-sent events on many connections at once, and say how old what came was.

Prints ``open`` once every connection has its snapshot. After a line on its input it notes ages until the next line,
then prints what it counted as JSON. Ages are read on every tenth connection; the others are read and counted.
"""

import asyncio
import json
import sys
import time
from typing import Final, cast, final

import uvloop

_TIME: Final = b'"time_engine":"'
_INSTRUMENT: Final = b'"instrument":"'
_NS_PER_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _NS_PER_S
READ_EVERY: Final = 10
OPEN_S_MAX: Final = 30.0
RETRY_S: Final = 1.0


class NotReadyYet(Exception):
    """The replica is behind: it says to come back in a second."""


@final
class Ages:
    """What all connections have noted, in nanoseconds."""

    def __init__(self) -> None:
        self.is_noting = False
        self.steps: list[int] = []
        """From a tick's engine time to the arrival of an event of it."""
        self.market: list[int] = []
        """The same for what the market is told to be: how old the news is."""
        self.oldest: list[int] = []
        """From the engine time of what was told of an instrument before: no change that is news now is older."""
        self.events = 0
        self.bytes = 0
        self.resets = 0

    def result(self) -> dict[str, object]:
        """Return counts, and ages in milliseconds."""
        ages = {"steps": self.steps, "market": self.market, "oldest": self.oldest}
        return {
            "events": self.events,
            "bytes": self.bytes,
            "resets": self.resets,
            **{name: _percentiles(sorted(found)) for name, found in ages.items()},
        }


def _percentiles(found: list[int]) -> dict[str, float | int | None]:
    def at(percent: float) -> float | None:
        return round(found[min(len(found) - 1, int(len(found) * percent / 100))] / 1e6, 2) if found else None

    return {"count": len(found), "p50": at(50), "p99": at(99), "highest": at(100)}


@final
class Connection(asyncio.Protocol):
    """One stream; it reads ages if ``reads`` says so."""

    def __init__(self, host: str, path: str, ages: Ages, opened: asyncio.Future[None], *, reads: bool) -> None:
        self._request: Final = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n".encode()
        self._ages: Final = ages
        self._opened: Final = opened
        self._reads: Final = reads
        self._buffer = b""
        self._told_ns: Final[dict[bytes, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.Transport", transport).write(self._request)  # uvloop's own is none by its class

    def data_received(self, data: bytes) -> None:
        """Count, and read ages."""
        ages = self._ages
        if not self._opened.done():
            if b"event: snapshot" in data:
                self._opened.set_result(None)
            elif data.startswith(b"HTTP/1.1 503"):
                self._opened.set_exception(NotReadyYet(data[:300].decode(errors="replace")))
            elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
                self._opened.set_exception(RuntimeError(data[:300].decode(errors="replace")))
        if ages.is_noting:
            ages.events += data.count(b"\nevent: ")
            ages.resets += data.count(b"event: reset")
            ages.bytes += len(data)
        if self._reads:
            *blocks, self._buffer = (self._buffer + data).split(b"\n\n")
            now_ns = time.time_ns() % _DAY_NS
            for block in blocks:
                self._read(block, now_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that a stream ended before its time."""
        if not self._opened.done():
            self._opened.set_exception(exc or ConnectionError("the stream ended before its snapshot"))

    def _read(self, block: bytes, now_ns: int) -> None:
        at = block.find(_TIME)
        if at < 0 or b"event: snapshot" in block:
            return
        told_ns = _ns_of_day(block[at + len(_TIME) + 11 : at + len(_TIME) + 29])
        if b"event: market" in block:
            begin = block.find(_INSTRUMENT) + len(_INSTRUMENT)
            instrument = block[begin : block.find(b'"', begin)]
            before_ns = self._told_ns.get(instrument)
            self._told_ns[instrument] = told_ns
            if self._ages.is_noting:
                self._ages.market.append(now_ns - told_ns)
                if before_ns is not None:
                    self._ages.oldest.append(now_ns - before_ns)
        elif self._ages.is_noting:
            self._ages.steps.append(now_ns - told_ns)


def _ns_of_day(text: bytes) -> int:
    """Return the time of ``06:10:00.123456789`` since midnight in nanoseconds."""
    return ((int(text[:2]) * 60 + int(text[3:5])) * 60 + int(text[6:8])) * _NS_PER_S + int(text[9:])


async def _open(host: str, port: int, path: str, ages: Ages, *, reads: bool) -> None:
    """Open a stream; where the replica is behind, as often as it says so within half a minute."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + OPEN_S_MAX
    while True:
        opened: asyncio.Future[None] = loop.create_future()
        transport, _ = await loop.create_connection(
            lambda opened=opened: Connection(host, path, ages, opened, reads=reads),  # type: ignore[misc]
            host,
            port,
        )
        try:
            await opened
        except NotReadyYet:
            transport.close()
            if loop.time() > deadline_s:
                raise
            await asyncio.sleep(RETRY_S)
        else:
            return


async def read_many(host: str, port: int, path: str, count: int) -> None:
    """Open so many streams, and note ages when told to."""
    ages = Ages()
    await asyncio.gather(*[_open(host, port, path, ages, reads=each % READ_EVERY == 0) for each in range(count)])
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    ages.is_noting = True
    await asyncio.to_thread(sys.stdin.readline)
    ages.is_noting = False
    print(json.dumps(ages.result()), flush=True)


if __name__ == "__main__":
    uvloop.run(read_many(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
