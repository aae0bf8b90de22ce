"""Close positions the plain way: one market order against each, for what no order at work closes already.

Source: barter 0.12.5 ``strategy/close_positions.rs``, which takes no notice of orders at work, so that a repeated
command sends everything twice.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

from tradebus.core.engine.command import InstrumentFilter
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, STRATEGY_UNKNOWN, StrategyId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import Order, OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


def close_with_market_orders(state: "EngineState", selection: InstrumentFilter, strategy: StrategyId) -> Decision:
    """Return a market order, immediate or cancel, against each selected position whose instrument has a price.

    In instrument index order; the order's price is the market's, its quantity what ``quantity_to_close`` says. Where
    an engine has several strategies each closes its own share of the net position, as far as the rest of it goes, and
    ``unknown`` what no strategy of the engine holds: the position is closed once, and whoever held it is flat.
    """
    opens: list[OrderRequestOpen] = []
    for instrument in state.matching(selection):
        position = instrument.position
        price = instrument.price()
        if position is None or price is None:
            continue
        quantity = quantity_to_close(instrument)
        if len(state.strategies) > 1:
            quantity = min(quantity, _share_to_close(state, instrument, strategy, position.side))
        if quantity <= ZERO:
            continue
        definition = instrument.instrument
        opens.append(
            OrderRequestOpen(
                OrderKey(definition.exchange, definition.index, strategy, NO_CLIENT_ORDER_ID),
                position.side.opposite,
                price,
                quantity,
                OrderKind.MARKET,
                TimeInForce.IMMEDIATE_OR_CANCEL,
            )
        )
    return Decision((), opens)


def quantity_to_close(instrument: InstrumentState) -> Decimal:
    """Return how much of a position no order at work will close, 0 or more.

    Orders that are to be filled at once count, whoever sent them: market orders, immediate or cancel, fill or kill. A
    limit order that rests may never be filled and does not count.
    """
    position = instrument.position
    if position is None:
        return ZERO
    rest = position.quantity_abs
    for order in instrument.orders.values():
        if _closes(order, position.side):
            rest -= order.quantity_remaining()
    return max(rest, ZERO)


def _closes(order: Order, side: Side) -> bool:
    is_immediate = (
        order.kind is OrderKind.MARKET
        or order.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL
        or order.time_in_force is TimeInForce.FILL_OR_KILL
    )
    return is_immediate and order.side is not side


def _share_to_close(state: "EngineState", instrument: InstrumentState, strategy: StrategyId, side: Side) -> Decimal:
    """Return what a strategy holds on the side of the position, less what its own orders at work close."""
    own = {setup.setup.id for setup in state.strategies}
    held = ZERO
    for holder, position in instrument.strategies.items():
        if holder == strategy or (strategy == STRATEGY_UNKNOWN and holder not in own):
            held += position.quantity_net
    share = held if side is Side.BUY else -held
    for order in instrument.orders.values():
        sender = order.key.strategy
        if _closes(order, side) and (sender == strategy or (strategy == STRATEGY_UNKNOWN and sender not in own)):
            share -= order.quantity_remaining()
    return share
