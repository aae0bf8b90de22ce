"""Bring a virtual-time loop to where an earlier process left it: from the ticks that its journal holds.

What lies between engine and exchanges (requests and answers on their way) stands in no state of the engine. It follows
from the ticks: exchanges that fold them again know what the earlier ones knew, and a loop that goes on from there makes
the ticks that would have come.
"""

from collections import deque
from typing import Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, TradingStateUpdate
from tradebus.core.market.event import MarketEvent
from tradebus.core.simulation.exchange import SimulatedExchange

FEED_END: Final = "feed end"
"""The origin of the update that switches trading off where a feed ends."""


@mypyc_attr(native_class=False)
class OtherAccountEvents(ValueError):
    """A journal whose account events are not those that its exchanges give: of other code, or of another setup."""


@final
class JournaledRun:
    """What the ticks so far say of a run: its exchanges, what is due to the engine, and how far the feed is.

    ``time_ns`` is the loop's time, ``events`` how many market events were processed, ``last`` the last of them.
    """

    def __init__(self, exchanges: list[SimulatedExchange]) -> None:
        self.exchanges: Final = exchanges
        self.due: Final[deque[AccountEvent]] = deque()
        """Account events that have arrived and stand in no tick yet, in order."""
        self.time_ns = 0
        self.events = 0
        self.last: MarketEvent | None = None
        self.is_feed_ended = False
        self.is_ended = False

    @property
    def feed_position(self) -> int:
        """Return the position in the feed of the last market event, 0 where there was none."""
        return 0 if self.last is None else self.last.sequence

    def take(self, tick: AuditTick) -> None:
        """Take in the next tick. Raises OtherAccountEvents."""
        event = tick.event
        self.time_ns = max(self.time_ns, tick.time_ns)
        if isinstance(event, MarketEvent):
            self.last = event
            self.events += 1
        elif isinstance(event, AccountEvent):
            self._take_delivered(tick, event)
        elif isinstance(event, TradingStateUpdate) and event.origin == FEED_END:
            self.is_feed_ended = True
        for exchange in self.exchanges:
            exchange.fold(tick)
        self.is_ended = tick.is_terminal

    def _take_delivered(self, tick: AuditTick, event: AccountEvent) -> None:
        """Take an account event from what is due, all of which arrives at once and is processed one by one."""
        if not self.due:
            for exchange in self.exchanges:
                exchange.advance(tick.time_ns)
                self.due.extend(exchange.pop_due(tick.time_ns))
        expected = self.due.popleft() if self.due else None
        if expected != event:
            raise OtherAccountEvents(f"tick {tick.sequence}: expected {expected}, as the exchange gives, found {event}")
