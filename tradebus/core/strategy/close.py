"""Close positions the plain way: one market order against each.

Source: barter 0.12.5 ``strategy/close_positions.rs``.
"""

from typing import TYPE_CHECKING

from tradebus.core.engine.command import InstrumentFilter
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, StrategyId
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.strategy.interface import Decision

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


def close_with_market_orders(state: "EngineState", selection: InstrumentFilter, strategy: StrategyId) -> Decision:
    """Return a market order, immediate or cancel, against each selected position whose instrument has a price.

    In instrument index order; the order's price is the market's, its quantity the whole position.
    """
    opens: list[OrderRequestOpen] = []
    for instrument in state.matching(selection):
        position = instrument.position
        price = instrument.data.price()
        if position is None or price is None:
            continue
        definition = instrument.instrument
        opens.append(
            OrderRequestOpen(
                OrderKey(definition.exchange, definition.index, strategy, NO_CLIENT_ORDER_ID),
                position.side.opposite,
                price,
                position.quantity_abs,
                OrderKind.MARKET,
                TimeInForce.IMMEDIATE_OR_CANCEL,
            )
        )
    return Decision((), opens)
