"""Remember what each strategy holds of each instrument, from its own fills.

The engine's position is net over all strategies; one that shares an instrument needs its own count.
"""

from decimal import Decimal

from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.model.identifiers import InstrumentIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.model.side import Side


class Holdings(StrategyData):
    """Net quantity in base by instrument index, positive for long; only fills of ``strategy`` count."""

    def __init__(self, strategy: StrategyId, index: IndexedInstruments) -> None:
        self.strategy: str = strategy
        self.held: list[Decimal] = [ZERO for _ in index.instruments]

    def process(self, state: EngineState, event: EngineEvent) -> None:  # noqa: ARG002 - fills are enough here
        """Count our fills."""
        if isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived):
            trade = event.data.trade
            if trade.strategy == self.strategy:
                self.held[trade.instrument] += trade.quantity if trade.side is Side.BUY else -trade.quantity

    def holding(self, instrument: InstrumentIndex) -> Decimal:
        """Return what the strategy holds of an instrument."""
        return self.held[instrument]
