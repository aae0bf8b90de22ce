"""Quote both sides: a resting bid and ask at the best prices, moved when the market leaves them behind.

Post-only limit orders. A quote is cancelled when the best price on its side is more than ``requote_bps`` away from it,
and replaced once the cancel is answered; a side is not quoted while the holding is beyond ``notional_max``. Parameters:
``notional`` (quote for each order), ``notional_max`` (holding in quote), ``requote_bps``, ``instruments`` (internal
names, comma between; all by default).
"""

from collections.abc import Mapping
from decimal import Decimal

from tradebus.core.engine.command import ALL_INSTRUMENTS
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.market.event import BookL1, MarketEvent
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, ExchangeIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    Order,
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
    cancel_request,
)
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision, Strategy
from tradebus.strategies.parameters import Parameters, quantity_for

BPS = Decimal("0.0001")


class Quoter(Strategy):
    """Decide at each change of the book."""

    def __init__(self, strategy: StrategyId, params: Mapping[str, str], index: IndexedInstruments) -> None:
        read = Parameters(strategy, params)
        self._id = strategy
        self._notional = read.amount("notional", "500")
        self._notional_max = read.amount("notional_max", "2000")
        self._requote = read.amount("requote_bps", "1") * BPS
        self._instruments = read.instruments(index)
        read.refuse_rest()

    @property
    def id(self) -> StrategyId:
        """Return the strategy's id."""
        return self._id

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        """Move quotes that were left behind, add those that are missing."""
        if not isinstance(event, MarketEvent) or event.instrument not in self._instruments:
            return None
        book = event.data
        if not isinstance(book, BookL1) or book.best_bid is None or book.best_ask is None:
            return None
        instrument = state.instruments[event.instrument]
        bid, ask = book.best_bid.price, book.best_ask.price
        cancels: list[OrderRequestCancel] = []
        opens: list[OrderRequestOpen] = []
        quoted = {Side.BUY: False, Side.SELL: False}
        for order in instrument.orders.values():
            if order.key.strategy != self._id:
                continue
            quoted[order.side] = True
            if self._is_left_behind(order, bid, ask):
                request = cancel_request(order)
                if request is not None and request.id is not None:
                    cancels.append(request)
        held_notional = instrument.strategy_quantity(self._id) * bid
        if not quoted[Side.BUY] and held_notional < self._notional_max:
            self._quote(instrument, Side.BUY, bid, opens)
        if not quoted[Side.SELL] and held_notional > -self._notional_max:
            self._quote(instrument, Side.SELL, ask, opens)
        return Decision(cancels, opens) if cancels or opens else None

    def on_trading_disabled(self, state: EngineState) -> Decision | None:
        """Take the quotes off the book."""
        return self._cancel_all(state, None)

    def on_disconnect(self, state: EngineState, exchange: ExchangeIndex) -> Decision | None:
        """Take the quotes off an exchange that cannot be seen."""
        return self._cancel_all(state, exchange)

    def _cancel_all(self, state: EngineState, exchange: ExchangeIndex | None) -> Decision | None:
        cancels: list[OrderRequestCancel] = []
        for instrument in state.matching(ALL_INSTRUMENTS):
            if exchange is not None and instrument.instrument.exchange != exchange:
                continue
            for order in instrument.orders.values():
                request = cancel_request(order) if order.key.strategy == self._id else None
                if request is not None:
                    cancels.append(request)
        return Decision(cancels) if cancels else None

    def _is_left_behind(self, order: Order, bid: Decimal, ask: Decimal) -> bool:
        if order.side is Side.BUY:
            return order.price < bid * (1 - self._requote)
        return order.price > ask * (1 + self._requote)

    def _quote(self, instrument: InstrumentState, side: Side, price: Decimal, opens: list[OrderRequestOpen]) -> None:
        definition = instrument.instrument
        quantity = quantity_for(definition, self._notional, price)
        if quantity <= ZERO or instrument.data.is_stale:
            return
        key = OrderKey(definition.exchange, definition.index, self._id, NO_CLIENT_ORDER_ID)
        opens.append(
            OrderRequestOpen(key, side, price, quantity, OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY)
        )
