"""Sum up the ticks of market events, for who counts them."""

from typing import final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import MarketEvent


@final
class MarketSum:
    """How many market events of each kind and each exchange there were, and the time of each exchange's last, in ns."""

    def __init__(self) -> None:
        self.kinds: dict[type, int] = {}
        self.exchanges: dict[int, int] = {}
        self.times_ns: dict[int, int] = {}


def sum_up(ticks: tuple[AuditTick, ...], begin: int, end: int) -> MarketSum:
    """Return the sum of the ticks at ``begin`` up to ``end``; others than those of market events are left out."""
    found = MarketSum()
    kinds, exchanges, times_ns = found.kinds, found.exchanges, found.times_ns
    for place in range(begin, end):
        tick = ticks[place]
        event = tick.event
        if isinstance(event, MarketEvent):
            kind = type(event.data)
            kinds[kind] = kinds.get(kind, 0) + 1
            exchange: int = event.exchange
            exchanges[exchange] = exchanges.get(exchange, 0) + 1
            times_ns[exchange] = tick.time_ns
    return found
