"""Run the engine on live input: one event at a time, timers and quiet time included, every tick into the journal."""

import time
from collections.abc import Callable
from typing import Final, Protocol, final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import ClockAdvanced, TimerFired
from tradebus.core.engine.event_base import EngineEvent

Clock = Callable[[], int]


class TickSink(Protocol):
    """Takes ticks in order; ``event_bytes`` are the event's own bytes as they came, if it came encoded."""

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick."""


@final
class Stepper:
    """The live engine loop, driven by whoever has an event. ``clock`` gives nanoseconds since the epoch."""

    def __init__(self, engine: Engine, sink: TickSink, quiet_ns: int, clock: Clock = time.time_ns) -> None:
        self.engine: Final = engine
        self._sink: Final = sink
        self._quiet_ns: Final = quiet_ns
        self._clock: Final = clock
        self._last_ns = 0
        self.events = 0
        self.refused = 0
        self.is_ended = False

    def start(self) -> None:
        """Begin the journal."""
        now_ns = self._clock()
        self._last_ns = now_ns
        self._sink.record(self.engine.start(now_ns))

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> AuditTick | None:
        """Process an event now, due timers before it; none if it was refused or the engine has ended.

        An event that does not fit the index changes nothing; it is counted and left to the caller to report.
        """
        if self.is_ended:
            return None
        now_ns = self._clock()
        engine = self.engine
        if engine.state.timers:
            self._fire(now_ns)
        try:
            tick = engine.process(event, now_ns)
        except InvalidEvent:
            self.refused += 1
            raise
        self._last_ns = now_ns
        self.events += 1
        self._sink.record(tick, event_bytes)
        if tick.is_terminal:
            self.is_ended = True
        return tick

    def idle(self) -> None:
        """Fire due timers, and let time pass in the journal when nothing came for a while."""
        if self.is_ended:
            return
        now_ns = self._clock()
        self._fire(now_ns)
        if now_ns - self._last_ns >= self._quiet_ns:
            self._last_ns = now_ns
            self._sink.record(self.engine.process(ClockAdvanced(), now_ns))

    def _fire(self, now_ns: int) -> None:
        engine = self.engine
        due = engine.next_timer_due_ns()
        while due is not None and due <= now_ns:
            timer = engine.state.timers[0]
            self._last_ns = now_ns
            self._sink.record(engine.process(TimerFired(timer.strategy, timer.id, timer.due_ns), now_ns))
            following = engine.next_timer_due_ns()
            # A strategy that sets the same timer for the past again would keep us here: the rest waits for later.
            if following is not None and following <= due:
                return
            due = following
