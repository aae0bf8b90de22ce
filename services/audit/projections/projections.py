"""Feed every projection with each tick, in order."""

from typing import Final, final

from services.audit.config import Limits
from services.audit.projections.commands import Commands
from services.audit.projections.counts import Counts
from services.audit.projections.exits import Exits
from services.audit.projections.fills import Fills
from services.audit.projections.links import Links
from services.audit.projections.orders import Orders
from services.audit.projections.risk import RiskHistory
from services.audit.projections.statistics import Statistics
from services.audit.projections.trading import TradingHistory
from tradebus.core.engine.audit.market_sum import MarketSum
from tradebus.core.engine.audit.tick import AuditTick, Halted, PositionExit, RequestsDecided
from tradebus.core.engine.event import AccountEvent, AccountLinkChanged
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent


@final
class Projections:
    """All of them, as of the replica's sequence."""

    def __init__(self, limits: Limits) -> None:
        self.counts: Final = Counts()
        self.trading: Final = TradingHistory()
        self.links: Final = Links()
        self.risk: Final = RiskHistory()
        self.fills: Final = Fills(limits.fills)
        self.exits: Final = Exits(limits.exits)
        self.orders: Final = Orders(limits.orders)
        self.statistics: Final = Statistics()
        self.commands: Final = Commands(limits.commands)

    def take(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Take in a tick that ``state`` has taken in just now.

        ``is_duplicate`` says that its account event had been applied before: it counts, and changes nothing else.
        """
        event = tick.event
        if isinstance(event, MarketEvent):  # nearly every tick, so it takes the shortest way
            self.counts.add(type(event.data))
            self.links.exchanges[event.exchange].market_data.heard(tick.time_ns)
        else:
            self._take_other(tick, event, state, is_duplicate=is_duplicate)
            self.statistics.take(tick, event, state)
        if tick.outputs:
            self._take_outputs(tick, state)

    def take_plain(self, ticks: MarketSum) -> None:
        """Take in market events by which nothing was decided."""
        for kind, count in ticks.kinds.items():
            self.counts.add(kind, count)
        for exchange, count in ticks.exchanges.items():
            self.links.exchanges[exchange].market_data.heard(ticks.times_ns[exchange], count)

    def _take_other(self, tick: AuditTick, event: EngineEvent, state: EngineState, *, is_duplicate: bool) -> None:
        self.links.take(tick)
        self.risk.take(tick, state)
        self.trading.take_event(tick)
        self.commands.take(tick)
        if not isinstance(event, AccountEvent):
            self.counts.add(type(event))
            if isinstance(event, AccountLinkChanged):
                self.orders.take_link(tick, event, state)
        elif is_duplicate:
            self.counts.duplicates += 1
        else:
            self.counts.add(type(event.data))
            self.fills.take(tick, event)
            self.orders.take_event(tick, event, state)

    def _take_outputs(self, tick: AuditTick, state: EngineState) -> None:
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                self.counts.add_requests(output)
                self.orders.take_output(tick, output, state)
            elif isinstance(output, PositionExit):
                self.counts.positions_exited += 1
                self.exits.take(tick, output)
            elif isinstance(output, Halted):
                self.counts.halts += 1
                self.trading.take_halt(tick, output)
