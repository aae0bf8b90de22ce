"""Feed every projection with each tick, in order."""

from typing import Final, final

from services.audit.config import Limits
from services.audit.projections.counts import Counts
from services.audit.projections.exits import Exits
from services.audit.projections.fills import Fills
from services.audit.projections.links import Links
from services.audit.projections.orders import Orders
from services.audit.projections.trading import TradingHistory
from tradebus.core.engine.audit.tick import AuditTick, PositionExit, RequestsDecided
from tradebus.core.engine.event import AccountEvent
from tradebus.core.engine.state.engine_state import EngineState


@final
class Projections:
    """All of them, as of the replica's sequence."""

    def __init__(self, limits: Limits) -> None:
        self.counts: Final = Counts()
        self.trading: Final = TradingHistory()
        self.links: Final = Links()
        self.fills: Final = Fills(limits.fills)
        self.exits: Final = Exits(limits.exits)
        self.orders: Final = Orders(limits.orders)

    def take(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Take in a tick that ``state`` has taken in just now.

        ``is_duplicate`` says that its account event had been applied before: it counts, and changes nothing else.
        """
        self.counts.take(tick, is_duplicate=is_duplicate)
        self.trading.take(tick)
        self.links.take(tick)
        event = tick.event
        if isinstance(event, AccountEvent) and not is_duplicate:
            self.fills.take(tick, event)
            self.orders.take_event(tick, event, state)
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                self.orders.take_output(tick, output, state)
            elif isinstance(output, PositionExit):
                self.exits.take(tick, output)
