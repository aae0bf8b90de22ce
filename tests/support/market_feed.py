"""Stand-ins for what surrounds a venue feed: the sink it delivers to, its clock, and the network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from services.market.venues.errors import FrameError, LinkClosed, VenueConnectionError
from services.market.venues.link import Link
from services.market.venues.tally import UnknownKind
from tradebus.core.market.event import MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeId

NANOSECONDS_PER_SECOND = 1_000_000_000
FOREVER_S = 1_000_000.0
"""Sleeps of the fake clock from here on never end."""


class KeepingSink:
    """Keeps everything a feed delivers, in order of arrival, and lets a test wait for it."""

    def __init__(self) -> None:
        self.delivered: list[MarketEvent | MarketReconnecting | FrameError | UnknownKind] = []
        self.failed_attempts: list[tuple[VenueConnectionError, int]] = []
        self._news = asyncio.Event()

    @property
    def events(self) -> list[MarketEvent]:
        return [each for each in self.delivered if isinstance(each, MarketEvent)]

    @property
    def trade_ids(self) -> list[str]:
        return [event.data.id for event in self.events if isinstance(event.data, PublicTrade)]

    @property
    def markers(self) -> list[MarketReconnecting]:
        return [each for each in self.delivered if isinstance(each, MarketReconnecting)]

    @property
    def frame_errors(self) -> list[FrameError]:
        return [each for each in self.delivered if isinstance(each, FrameError)]

    @property
    def unknown_kinds(self) -> list[str]:
        return [each.kind for each in self.delivered if isinstance(each, UnknownKind)]

    def on_events(self, events: Sequence[MarketEvent]) -> None:
        assert events, "a feed delivers no empty batch"
        self._keep(events)

    def on_reconnecting(self, event: MarketReconnecting) -> None:
        self._keep([event])

    def on_frame_error(self, error: FrameError) -> None:
        self._keep([error])

    def on_unknown_kind(self, unknown: UnknownKind) -> None:
        self._keep([unknown])

    def on_attempt_failed(self, error: VenueConnectionError, retry_in_ms: int) -> None:
        self.failed_attempts.append((error, retry_in_ms))
        self._news.set()

    async def wait_until(self, condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        """Wait until a condition over what was delivered holds; raises TimeoutError when it does not in time."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _keep(self, items: Iterable[MarketEvent | MarketReconnecting | FrameError | UnknownKind]) -> None:
        self.delivered.extend(items)
        self._news.set()


class FakeClock:
    """A clock that moves only when somebody sleeps on it; every sleep is noted and over at once.

    A sleep of `FOREVER_S` or longer is neither: it lasts until it is cancelled.
    """

    def __init__(self, now_ns: int = 1_700_000_000 * NANOSECONDS_PER_SECOND) -> None:
        self.sleeps_s: list[float] = []
        self._now_ns = now_ns

    @property
    def sleeps_ms(self) -> list[int]:
        return [round(seconds * 1_000) for seconds in self.sleeps_s]

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def advance_ms(self, milliseconds: int) -> None:
        self._now_ns += milliseconds * 1_000_000

    async def sleep(self, seconds: float) -> None:
        if seconds >= FOREVER_S:
            await asyncio.Event().wait()
        self.sleeps_s.append(seconds)
        self._now_ns += round(seconds * NANOSECONDS_PER_SECOND)
        await asyncio.sleep(0)


class FakeLink:
    """A link that hands out the frames it was given, then says it is closed, or stays open and silent."""

    def __init__(self, frames: Iterable[bytes], *, ends: bool = True, on_end: Callable[[], None] | None = None) -> None:
        self.received = 0
        self.data_received = 0
        self.sent: list[bytes] = []
        self.pings = 0
        self.is_closed = False
        self._frames = list(frames)
        self._ends = ends
        self._on_end = on_end

    async def send(self, payload: bytes) -> None:
        self.sent.append(payload)

    async def receive(self) -> bytes:
        if self._frames:
            self.received += 1
            self.data_received += 1
            return self._frames.pop(0)
        if self._on_end is not None:
            self._on_end()
        if not self._ends:
            await asyncio.Event().wait()
        raise LinkClosed(ExchangeId.BINANCE_SPOT, "fake", "the fake link ended")

    async def ping(self) -> None:
        self.pings += 1

    async def close(self) -> None:
        self.is_closed = True


class FakeNetwork:
    """Answers each attempt to connect with the next outcome; the last attempts, when none is left, wait for ever."""

    def __init__(self, outcomes: Iterable[Link | VenueConnectionError]) -> None:
        self.attempts = 0
        self.is_exhausted = asyncio.Event()
        self._outcomes = list(outcomes)

    async def open(self, url: str) -> Link:
        self.attempts += 1
        if not self._outcomes:
            self.is_exhausted.set()
            await asyncio.Event().wait()
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, VenueConnectionError):
            raise outcome
        return outcome
