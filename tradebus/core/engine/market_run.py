"""Process market events on end as long as nothing but them happens: most of what a live engine does."""

from collections.abc import Callable

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.market.event import MarketEvent


def process_run(
    engine: Engine,
    events: list[MarketEvent],
    begin: int,
    end: int,
    clock: Callable[[], int],
    ticks: list[AuditTick],
) -> AuditTick | None:
    """Process ``events[begin:end]`` and append the tick of each to ``ticks``, up to one by which something was decided.

    That one's tick is returned and not appended; none if there was no such. It ends early, with nothing of it done, at
    an event that does not fit the index and when a timer is due. ``clock`` gives nanoseconds since the epoch, and is
    asked for every event. Raises what the engine raises; ``ticks`` are those from before.
    """
    state = engine.state
    for place in range(begin, end):
        now_ns = clock()
        if state.timers and state.timers[0].due_ns <= now_ns:
            return None
        try:
            tick = engine.process(events[place], now_ns)
        except InvalidEvent:
            return None
        if tick.outputs or tick.errors:
            return tick
        ticks.append(tick)
    return None
