"""Run the engine on live input: one event at a time, timers and quiet time included, every tick into the journal."""

import time
from collections.abc import Callable
from typing import Final, Protocol, final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import ClockAdvanced, TimerFired
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.market_run import process_run
from tradebus.core.market.event import MarketEvent

Clock = Callable[[], int]

RUN_EVENTS_MIN: Final = 2
"""Fewer than so many are not worth a run."""
RUN_EVENT_BYTES_MAX: Final = 512
"""Books with depth are larger; they come one by one, so that a run never fills a batch beyond its limit."""

OnEnd = Callable[[AuditTick | Exception], None]
"""Called once when the engine has ended: with its last tick, or with what made it fail."""


class TickSink(Protocol):
    """Takes ticks in order; ``event_bytes`` are the event's own bytes as they came, if it came encoded."""

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick."""

    def record_run(
        self, ticks: list[AuditTick], encoded: list[bytes], begin: int, *, is_state_last: bool = True
    ) -> None:
        """Take the next ticks, plain ones of market events; ``encoded[begin]`` are the first event's bytes.

        ``is_state_last`` says that the engine's state is the one after the last of them.
        """

    def run_room(self) -> int:
        """Return how many ticks may come in one run."""

    def lose_state(self) -> None:
        """Take note that the engine's state is not the one after the last tick any more."""


@final
class Stepper:
    """The live engine loop, driven by whoever has an event. ``clock`` gives nanoseconds since the epoch.

    A tick that ends the engine ends it here too. So does anything that goes wrong in the engine or while its tick is
    recorded: nobody could say any more which state belongs to which tick. Afterwards nothing is processed.
    """

    def __init__(
        self, engine: Engine, sink: TickSink, quiet_ns: int, on_end: OnEnd, clock: Clock = time.time_ns
    ) -> None:
        self.engine: Final = engine
        self._sink: Final = sink
        self._quiet_ns: Final = quiet_ns
        self._on_end: Final = on_end
        self._clock: Final = clock
        self._last_ns = 0
        self.is_ended = False

    def start(self) -> None:
        """Begin the journal."""
        now_ns = self._clock()
        self._last_ns = now_ns
        self._sink.record(self.engine.start(now_ns))

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> AuditTick | None:
        """Process an event now, due timers before it; none if the engine has ended.

        Raises InvalidEvent for an event that does not fit the index; it changes nothing and is left to the caller to
        count and report.
        """
        now_ns = self._clock()
        if self.engine.state.timers:
            self._fire(now_ns)
        if self.is_ended:
            return None
        return self._process(event, now_ns, event_bytes)

    def step_run(self, events: list[MarketEvent], encoded: list[bytes], begin: int) -> int:
        """Process market events from ``begin`` on, most of them on end; return the place behind the last.

        What stands there is for ``step``: it may not fit, or not into a run. An engine that has ended takes all of them
        and does nothing.
        """
        place, end = begin, len(events)
        while place < end and not self.is_ended:
            room = min(self._sink.run_room(), end - place)
            if room < RUN_EVENTS_MIN or max(map(len, encoded[place : place + room])) > RUN_EVENT_BYTES_MAX:
                return place
            done = self._process_run(events, encoded, place, place + room)
            if not done:
                return place
            place += done
        return end

    def idle(self) -> None:
        """Fire due timers, and let time pass in the journal when nothing came for a while."""
        now_ns = self._clock()
        self._fire(now_ns)
        # A clock that was set back would hold time up until it has caught up again.
        if not self.is_ended and not 0 <= now_ns - self._last_ns < self._quiet_ns:
            self._process(ClockAdvanced(), now_ns)

    def _fire(self, now_ns: int) -> None:
        engine = self.engine
        # As many as are set now: a strategy that sets one for the past again would keep us here.
        for _ in range(len(engine.state.timers)):
            due_ns = engine.next_timer_due_ns()
            if due_ns is None or due_ns > now_ns or self.is_ended:
                return
            timer = engine.state.timers[0]
            self._process(TimerFired(timer.strategy, timer.id, timer.due_ns), now_ns)

    def _process_run(self, events: list[MarketEvent], encoded: list[bytes], begin: int, end: int) -> int:
        """Process events until something is decided, a timer is due or one does not fit; return how many they were."""
        ticks: list[AuditTick] = []
        decided: AuditTick | None = None
        failure: Exception | None = None
        try:
            decided = process_run(self.engine, events, begin, end, self._clock, ticks)
        except Exception as error:  # noqa: BLE001 - told below, behind what was processed before it
            failure = error
        try:
            if ticks:
                is_state_last = decided is None and failure is None
                self._sink.record_run(ticks, encoded, begin, is_state_last=is_state_last)
            if decided is not None:
                self._sink.record(decided, encoded[begin + len(ticks)])
        except Exception as error:  # noqa: BLE001 - as in `_process`
            failure = failure or error
        if failure is not None:
            self._fail(failure)
        elif ticks or decided is not None:
            self._last_ns = self._clock()
        if decided is not None and decided.is_terminal and not self.is_ended:
            self.is_ended = True
            self._on_end(decided)
        return len(ticks) + (decided is not None)

    def _fail(self, error: Exception) -> None:
        self.is_ended = True
        self._sink.lose_state()
        self._on_end(error)

    def _process(self, event: EngineEvent, now_ns: int, event_bytes: bytes | None = None) -> AuditTick | None:
        try:
            tick = self.engine.process(event, now_ns)
            self._sink.record(tick, event_bytes)
        except InvalidEvent:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine ends with it
            self._fail(error)
            return None
        self._last_ns = now_ns
        if tick.is_terminal:
            self.is_ended = True
            self._on_end(tick)
        return tick
