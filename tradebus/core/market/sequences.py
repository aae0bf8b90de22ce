"""Tell whether market events follow one another without a hole, by the numbers of their instruments."""

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex


def following(last: dict[InstrumentIndex, int], items: tuple[EngineEvent, ...], begin: int) -> int:
    """Return the place behind the events from ``begin`` on before which nothing of their instruments is missing.

    ``last`` holds each instrument's last number and is brought up to date. It ends at what is no market event.
    """
    for place in range(begin, len(items)):
        item = items[place]
        if not isinstance(item, MarketEvent):
            return place
        before = last.get(item.instrument, 0)
        if before and item.sequence > before + 1:
            return place
        last[item.instrument] = item.sequence
    return len(items)
