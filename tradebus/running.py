"""Drive an engine from a feed of events until a tick ends it: from an iterator, or from an asynchronous one.

For programs that bring their own events and take the ticks themselves; a backtest has a loop of its own
(``tradebus.backtest``), the engine service another. Source: barter 0.12.5 ``engine/run.rs``.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Final, Protocol

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import FeedEnded, TimerFired
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent

NS_PER_S: Final = 1_000_000_000
STEPS_WITHOUT_TIME_MAX: Final = 100_000

_log = logging.getLogger(__name__)

Sink = Callable[[AuditTick], None]
"""Takes every tick, in order, the last one included."""


class Clock(Protocol):
    """Says when an event is processed. ``is_live`` tells that time goes on by itself while nothing comes."""

    is_live: bool

    def time_ns(self, event: EngineEvent | None) -> int:
        """Return the time for an event, none for the time between events; nanoseconds since the epoch."""


class LiveClock:
    """The machine's clock."""

    is_live = True

    def time_ns(self, event: EngineEvent | None) -> int:  # noqa: ARG002 - the same for every event
        """Return what the clock says now."""
        return time.time_ns()


class EventClock:
    """The running maximum of the times at which market events were received: the same for every run of a feed."""

    is_live = False

    def __init__(self, start_ns: int = 0) -> None:
        self._last_ns = start_ns

    def time_ns(self, event: EngineEvent | None) -> int:
        """Return the time of a market event, or that of the last one."""
        if isinstance(event, MarketEvent):
            self._last_ns = max(self._last_ns, event.time_received_ns or event.time_exchange_ns)
        return self._last_ns


class TimersStuck(RuntimeError):
    """Timers kept setting timers for the past without time passing."""


def run(engine: Engine, events: Iterable[EngineEvent], clock: Clock, sink: Sink | None = None) -> AuditTick:
    """Process events, due timers before each, and return the terminal tick: a shutdown, an error, or the feed's end.

    The engine was started before. ``sink`` takes the ticks; the first time it raises, that is logged and no tick is
    given to it any more: who listens does not change what the engine does. Requests that were sent stand in the ticks
    and are the caller's to hand over. Raises InvalidEvent, changing nothing, for an event that does not fit.
    """
    steps = _Steps(engine, sink)
    for event in events:
        last = steps.take(event, clock.time_ns(event))
        if last is not None:
            return last
    return steps.end(clock.time_ns(None))


async def run_async(
    engine: Engine, events: AsyncIterable[EngineEvent], clock: Clock, sink: Sink | None = None
) -> AuditTick:
    """Do as ``run`` for an asynchronous feed; with a live clock timers fire while nothing comes, too."""
    steps = _Steps(engine, sink)
    feed = events.__aiter__()
    coming: asyncio.Future[EngineEvent] | None = None
    try:
        while True:
            if coming is None:
                coming = asyncio.ensure_future(_next(feed))
            await asyncio.wait([coming], timeout=steps.wait_s(clock))
            if not coming.done():
                last = steps.fire(clock.time_ns(None))
            else:
                done, coming = coming, None
                try:
                    event = done.result()
                except StopAsyncIteration:
                    return steps.end(clock.time_ns(None))
                last = steps.take(event, clock.time_ns(event))
            if last is not None:
                return last
    finally:
        if coming is not None:
            coming.cancel()


async def _next(feed: AsyncIterator[EngineEvent]) -> EngineEvent:
    return await feed.__anext__()


class _Steps:
    """The steps of a run, and who takes their ticks."""

    def __init__(self, engine: Engine, sink: Sink | None) -> None:
        self._engine = engine
        self._sink = sink

    def take(self, event: EngineEvent, now_ns: int) -> AuditTick | None:
        """Process an event, due timers before it; return the tick if it is terminal."""
        last = self.fire(now_ns)
        return self._process(event, now_ns) if last is None else last

    def end(self, now_ns: int) -> AuditTick:
        """Process what is due and the feed's end; return the terminal tick."""
        last = self.take(FeedEnded(), now_ns)
        assert last is not None, "the end of a feed is terminal"
        return last

    def fire(self, now_ns: int) -> AuditTick | None:
        """Fire the timers that are due, each at its own time or, late, now; return a terminal tick."""
        engine = self._engine
        steps, last_ns = 0, -1
        while engine.state.timers and engine.state.timers[0].due_ns <= now_ns:
            timer = engine.state.timers[0]
            at_ns = max(timer.due_ns, engine.time_ns)
            last = self._process(TimerFired(timer.strategy, timer.id, timer.due_ns), at_ns)
            if last is not None:
                return last
            steps = steps + 1 if at_ns == last_ns else 0
            last_ns = at_ns
            if steps > STEPS_WITHOUT_TIME_MAX:
                raise TimersStuck(f"{STEPS_WITHOUT_TIME_MAX} timers at {at_ns} ns: each sets another without end")
        return None

    def wait_s(self, clock: Clock) -> float | None:
        """Return how long to wait for an event before a timer is due; none for as long as it takes."""
        due_ns = self._engine.next_timer_due_ns()
        if due_ns is None or not clock.is_live:
            return None
        return max(0, due_ns - clock.time_ns(None)) / NS_PER_S

    def _process(self, event: EngineEvent, now_ns: int) -> AuditTick | None:
        tick = self._engine.process(event, now_ns)
        if self._sink is not None:
            try:
                self._sink(tick)
            except Exception as error:  # noqa: BLE001 - whoever listens may raise anything
                _log.warning("the audit sink failed at tick %d and is given no more: %r", tick.sequence, error)
                self._sink = None
        return tick if tick.is_terminal else None
