"""Keep one connection to a venue alive: connect, subscribe, deliver, notice the loss, come back.

The life cycle is that of the specification (market data, sections 4 and 5): the first initialisation is not repeated,
its error goes to the caller; after that the connection is endless. Corrections to the reference: opening has a
deadline, acknowledgements have one deadline for all of them together, waits have jitter, a connection that drops
before it was stable waits too, and silence is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from services.market.venues.backoff import Backoff, ReconnectPolicy
from services.market.venues.clock import Clock
from services.market.venues.connection_state import ConnectionSignal, ConnectionState, next_state
from services.market.venues.errors import (
    ConnectivityError,
    FrameError,
    LinkSilent,
    SubscribeTimeout,
    TooManyEarlyFrames,
    VenueConnectionError,
)
from services.market.venues.interface import ConnectionPlan, FeedSink, Translator, Venue
from services.market.venues.link import Connector, Link
from services.market.venues.pacing import MessagePacer
from services.market.venues.silence import SilencePolicy, SilenceWatch, Verdict
from services.market.venues.tally import FrameTally
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import ExchangeIndex

EARLY_FRAMES_MAX: Final = 100_000
NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_MESSAGES_RESERVED: Final = 2
"""Of the messages a second that a venue allows: kept free for a pong and a probe."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Deadlines and policies of a connection."""

    connect_timeout_s: float = 10.0
    validation_timeout_s: float = 10.0
    """For all acknowledgements together, counted from the open websocket; other frames do not extend it."""
    reconnect: ReconnectPolicy = field(default_factory=ReconnectPolicy)
    silence: SilencePolicy = field(default_factory=SilencePolicy)


@dataclass(slots=True)
class ConnectionStatus:
    """What a connection tells about itself, for status pages and metrics."""

    url: str
    subscriptions: int
    state: ConnectionState = ConnectionState.IDLE
    attempts: int = 0
    drops: int = 0
    """How often a connection that delivered was lost."""
    last_error: str | None = None
    streaming_since_ns: int | None = None
    """Wall clock, nanoseconds since the epoch; None while nothing flows."""
    last_frame_ns: int | None = None
    """Receive time of the last data frame."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection whose subscriptions are acknowledged, with the data that came before that."""

    link: Link
    early: list[tuple[bytes, int]]


class VenueConnection:
    """One websocket of a feed. `first` makes the first attempt, `run` keeps it up until it is cancelled."""

    def __init__(
        self,
        venue: Venue,
        exchange: ExchangeIndex,
        plan: ConnectionPlan,
        *,
        connector: Connector,
        new_translator: Callable[[], Translator],
        tally: FrameTally,
        sink: FeedSink,
        settings: ConnectionSettings,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.status = ConnectionStatus(plan.url, len(plan.subscriptions))
        self._venue = venue
        self._exchange = exchange
        self._plan = plan
        self._connector = connector
        self._new_translator = new_translator
        self._tally = tally
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._backoff = Backoff(settings.reconnect, random)
        self._opened: Opened | None = None
        self._first_wait_ms = 0

    async def first(self, *, retry: bool = False) -> None:
        """Make the first attempt: connect and have every subscription acknowledged.

        Raises VenueRefusal, and ConnectivityError unless ``retry`` leaves further attempts to `run`.
        """
        try:
            self._opened = await self._open()
        except ConnectivityError as error:
            if not retry:
                raise
            self._first_wait_ms = self._backoff.after_failure()
            self._sink.on_attempt_failed(error, self._first_wait_ms)

    async def run(self) -> None:
        """Deliver to the sink for ever, reconnecting as needed; ends only by cancellation or a mistake of our own."""
        opened, self._opened = self._opened, None
        try:
            if self._first_wait_ms > 0:
                await self._clock.sleep(self._first_wait_ms / 1_000)
            while True:
                if opened is None:
                    opened = await self._reopen()
                wait_ms = await self._deliver(opened)
                opened = None
                if wait_ms > 0:
                    await self._clock.sleep(wait_ms / 1_000)
        finally:
            self._signal(ConnectionSignal.STOP)

    async def discard(self) -> None:
        """Close what `first` opened and `run` never took."""
        if self._opened is not None:
            await self._opened.link.close()
            self._opened = None
        self._signal(ConnectionSignal.STOP)

    async def _open(self) -> Opened:
        self._signal(ConnectionSignal.ATTEMPT)
        self.status.attempts += 1
        try:
            link = await self._connector(self._plan.url)
            self._signal(ConnectionSignal.OPENED)
            try:
                early = await self._validate(link)
            except BaseException:
                await link.close()
                raise
        except VenueConnectionError as error:
            self._signal(ConnectionSignal.FAILED)
            self.status.last_error = str(error)
            raise
        self._signal(ConnectionSignal.ACKNOWLEDGED)
        return Opened(link, early)

    async def _validate(self, link: Link) -> list[tuple[bytes, int]]:
        """Subscribe and wait for the acknowledgements; return what else came meanwhile, with its receive times."""
        allowed_s = self._settings.validation_timeout_s
        early: list[tuple[bytes, int]] = []
        validator = self._venue.validator(self._plan)
        try:
            async with asyncio.timeout(allowed_s):
                pacer = self._pacer()
                for request in self._plan.requests:
                    await pacer.turn()
                    await link.send(request.payload)
                while not validator.is_complete:
                    raw = await link.receive()
                    if validator.accept(raw):
                        continue
                    if len(early) >= EARLY_FRAMES_MAX:
                        raise TooManyEarlyFrames(
                            self._venue.exchange, self._plan.url, f"{EARLY_FRAMES_MAX} frames, no acknowledgement"
                        )
                    early.append((raw, self._clock.now_ns()))
        except TimeoutError as error:
            raise SubscribeTimeout(
                self._venue.exchange,
                self._plan.url,
                f"subscription validation timeout reached: not all of {len(self._plan.requests)} requests "
                f"acknowledged within {allowed_s} s",
            ) from error
        return early

    async def _reopen(self) -> Opened:
        while True:
            try:
                return await self._open()
            except VenueConnectionError as error:
                wait_ms = self._backoff.after_failure()
                self._sink.on_attempt_failed(error, wait_ms)
                await self._clock.sleep(wait_ms / 1_000)

    async def _deliver(self, opened: Opened) -> int:
        """Deliver until the connection is lost, then say so; return the milliseconds to wait before the next one."""
        started_ns = self._clock.monotonic_ns()
        self.status.streaming_since_ns = self._clock.now_ns()
        reader = asyncio.create_task(self._read(opened))
        watcher = asyncio.create_task(self._watch(opened.link))
        try:
            await asyncio.wait({reader, watcher}, return_when=asyncio.FIRST_COMPLETED)
            for task in (reader, watcher):
                if task.done():
                    task.result()
            raise AssertionError("reader and watcher end only by raising")
        except ConnectivityError as error:
            lived_ms = (self._clock.monotonic_ns() - started_ns) // NANOSECONDS_PER_MILLISECOND
            self.status.drops += 1
            self.status.last_error = str(error)
            self._signal(ConnectionSignal.DROPPED)
            self._sink.on_reconnecting(MarketReconnecting(self._exchange, error.reason))
            return self._backoff.after_drop(lived_ms)
        finally:
            self.status.streaming_since_ns = None
            for task in (reader, watcher):
                task.cancel()
            await asyncio.gather(reader, watcher, return_exceptions=True)
            await opened.link.close()

    async def _read(self, opened: Opened) -> None:
        translator = self._new_translator()
        for raw, time_received_ns in opened.early:
            self._take(translator, raw, time_received_ns)
        opened.early.clear()
        link = opened.link
        while True:
            raw = await link.receive()
            self._take(translator, raw, self._clock.now_ns())

    def _take(self, translator: Translator, raw: bytes, time_received_ns: int) -> None:
        self.status.last_frame_ns = time_received_ns
        try:
            events = translator.translate(raw, time_received_ns)
        except FrameError as error:
            self._tally.count_failed(error)
            self._sink.on_frame_error(error)
            return
        if events:
            self._sink.on_events(events)
        elif self._tally.has_news:
            for unknown in self._tally.take_new_kinds():
                self._sink.on_unknown_kind(unknown)

    async def _watch(self, link: Link) -> None:
        policy = self._settings.silence
        watch = SilenceWatch(policy, self._clock.monotonic_ns())
        while True:
            await self._clock.sleep(policy.check_interval_s)
            verdict = watch.look(link.received, link.data_received, self._clock.monotonic_ns())
            if verdict is Verdict.PROBE:
                await link.ping()
            elif verdict is Verdict.LINK_DEAD:
                reason = f"nothing received for {policy.silence_ms_max} ms"
                raise LinkSilent(self._venue.exchange, self._plan.url, reason)
            elif verdict is Verdict.DATA_MISSING:
                reason = f"no data received for {policy.data_silence_ms_max} ms"
                raise LinkSilent(self._venue.exchange, self._plan.url, reason)

    def _pacer(self) -> MessagePacer:
        allowed = self._venue.limits.messages_per_second_max - _MESSAGES_RESERVED
        return MessagePacer(max(1, allowed), self._clock)

    def _signal(self, signal: ConnectionSignal) -> None:
        self.status.state = next_state(self.status.state, signal)
