"""The state of one instrument in a snapshot: ``InstrumentState`` of ``snapshot.proto`` and its parts.

Which instrument it is, its position in the list says; the definition stands in the index.
"""

from tradebus.core.engine.state.fills import RecentFills
from tradebus.core.engine.state.funding import AssetAmount, FundingTotals
from tradebus.core.engine.state.instrument import ExitTotals, InstrumentState
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.engine.state.orders import Orders
from tradebus.core.engine.state.position import Position
from tradebus.core.engine.state.strategy_position import StrategyPosition, StrategyPositions
from tradebus.core.engine.state.user_data import InstrumentDataState
from tradebus.core.engine.state.user_setup import UserDataFactory
from tradebus.core.market.book import BookSide, OrderBook
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.order import Order
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, instrument_index
from tradebus.wire.codec.error import EncodeError, Inconsistent
from tradebus.wire.codec.market_data import book_l1_from_pb, book_l1_to_pb
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.order import SIDES, order_from_pb, order_to_pb
from tradebus.wire.codec.parts import child, children, named, text
from tradebus.wire.codec.snapshot_user import instrument_data_state_from_pb, instrument_data_state_to_pb
from tradebus.wire.pb.v1 import snapshot_pb2 as pb


def instrument_state_to_pb(state: InstrumentState, into: pb.InstrumentState) -> None:
    """Fill a message with the state of an instrument; raises EncodeError."""
    instrument_market_data_to_pb(state.data, into.data)
    for cid, order in state.orders.items():
        if cid != order.key.cid:
            raise EncodeError(f"expected order {order.key.cid} under its own id, found it under {cid}")
        order_to_pb(order, into.orders.add())
    if state.position is not None:
        position_to_pb(state.position, into.position)
    exit_totals_to_pb(state.exits, into.exits)
    for strategy, held in state.strategies.items():
        if strategy != held.strategy:
            raise EncodeError(f"expected what {held.strategy} holds under its own id, found it under {strategy}")
        strategy_position_to_pb(held, into.strategies.add())
    funding_totals_to_pb(state.funding, into.funding)
    for amount in state.apart:
        asset_amount_to_pb(amount, into.apart.add())
    into.fills.SetInParent()
    into.fills.marks.extend(state.fills.marks)
    if state.user_data is not None:
        instrument_data_state_to_pb(state.user_data, into.user_data)


def instrument_state_from_pb(
    message: pb.InstrumentState,
    index: IndexedInstruments,
    instrument: Instrument,
    make_user_data: UserDataFactory,
    bounds: IndexBounds = UNBOUNDED,
) -> InstrumentState:
    """Return the state of an instrument; ``make_user_data`` gives its own data at first. Raises DecodeError."""

    def user_data(part: pb.InstrumentDataState, own: IndexBounds) -> InstrumentDataState:
        return instrument_data_state_from_pb(part, index, instrument, make_user_data, own)

    has_position = message.HasField("position")
    return InstrumentState(
        instrument,
        child(message, "data", message.data, instrument_market_data_from_pb, bounds),
        _orders(children("orders", message.orders, order_from_pb, bounds)),
        named("position", message.position, position_from_pb, bounds) if has_position else None,
        child(message, "exits", message.exits, exit_totals_from_pb, bounds),
        _strategies(children("strategies", message.strategies, strategy_position_from_pb, bounds)),
        child(message, "funding", message.funding, funding_totals_from_pb, bounds),
        list(children("apart", message.apart, asset_amount_from_pb, bounds)),
        child(message, "fills", message.fills, _recent_fills_from_pb, bounds),
        named("user_data", message.user_data, user_data, bounds) if message.HasField("user_data") else None,
    )


def _recent_fills_from_pb(message: pb.RecentFills, _bounds: IndexBounds) -> RecentFills:
    return RecentFills(list(message.marks))


def _orders(found: tuple[Order, ...]) -> Orders:
    orders = {order.key.cid: order for order in found}
    if len(orders) != len(found):
        raise Inconsistent(
            f"expected every client order id once, found {len(found)} orders, {len(orders)} ids", "orders"
        )
    return orders


def _strategies(found: tuple[StrategyPosition, ...]) -> StrategyPositions:
    positions = {position.strategy: position for position in found}
    if len(positions) != len(found):
        raise Inconsistent(f"expected every strategy once, found {len(found)}, {len(positions)} ids", "strategies")
    return positions


def instrument_market_data_to_pb(data: InstrumentMarketData, into: pb.InstrumentMarketData) -> None:
    """Fill a message with what the market said last."""
    into.SetInParent()
    if data.l1 is not None:
        book_l1_to_pb(data.l1, into.l1)
    into.l1_time_ns = data.l1_time_ns
    if data.price_last is not None:
        into.price_last = computed_to_text(data.price_last)
    into.trade_time_ns = data.trade_time_ns
    into.is_stale = data.is_stale
    if data.l2 is not None:
        order_book_to_pb(data.l2, into.l2)
    into.l2_time_ns = data.l2_time_ns
    into.is_l2_stale = data.is_l2_stale


def instrument_market_data_from_pb(
    message: pb.InstrumentMarketData,
    bounds: IndexBounds = UNBOUNDED,
) -> InstrumentMarketData:
    """Return what the market said last; raises DecodeError."""
    return InstrumentMarketData(
        book_l1_from_pb(message.l1) if message.HasField("l1") else None,
        message.l1_time_ns,
        computed_from_text(message.price_last, "price_last") if message.HasField("price_last") else None,
        message.trade_time_ns,
        message.is_stale,
        named("l2", message.l2, order_book_from_pb, bounds) if message.HasField("l2") else None,
        message.l2_time_ns,
        message.is_l2_stale,
    )


def order_book_to_pb(book: OrderBook, into: pb.OrderBook) -> None:
    """Fill a message with a book of many levels."""
    into.sequence = book.sequence
    if book.time_engine_ns is not None:
        into.time_engine_ns = book.time_engine_ns
    book_side_to_pb(book.bids, into.bids)
    book_side_to_pb(book.asks, into.asks)


def order_book_from_pb(message: pb.OrderBook, bounds: IndexBounds = UNBOUNDED) -> OrderBook:
    """Return a book of many levels; raises DecodeError."""
    return OrderBook(
        message.sequence,
        message.time_engine_ns if message.HasField("time_engine_ns") else None,
        child(message, "bids", message.bids, book_side_from_pb, bounds),
        child(message, "asks", message.asks, book_side_from_pb, bounds),
    )


def book_side_to_pb(side: BookSide, into: pb.BookSide) -> None:
    """Fill a message with one side of a book."""
    into.side = SIDES.to_pb(side.side)
    into.prices.extend([computed_to_text(price) for price in side.prices])
    into.amounts.extend([computed_to_text(amount) for amount in side.amounts])
    into.depth_max = side.depth_max


def book_side_from_pb(message: pb.BookSide, bounds: IndexBounds = UNBOUNDED) -> BookSide:  # noqa: ARG001 - as all readers
    """Return one side of a book; raises DecodeError."""
    return BookSide(
        SIDES.from_pb(message.side, "side"),
        [computed_from_text(price, f"prices[{i}]") for i, price in enumerate(message.prices)],
        [computed_from_text(amount, f"amounts[{i}]") for i, amount in enumerate(message.amounts)],
        message.depth_max,
    )


def position_to_pb(position: Position, into: pb.Position) -> None:
    """Fill a message with an open position."""
    into.instrument = position.instrument
    into.side = SIDES.to_pb(position.side)
    into.price_entry_average = computed_to_text(position.price_entry_average)
    into.quantity_abs = computed_to_text(position.quantity_abs)
    into.quantity_abs_max = computed_to_text(position.quantity_abs_max)
    into.price_last = computed_to_text(position.price_last)
    into.pnl_realised = computed_to_text(position.pnl_realised)
    into.fees_enter = computed_to_text(position.fees_enter)
    into.fees_exit = computed_to_text(position.fees_exit)
    into.time_enter_ns = position.time_enter_ns
    into.time_exchange_update_ns = position.time_exchange_update_ns
    into.trade_count = position.trade_count
    into.trade_digest = position.trade_digest
    into.funding = computed_to_text(position.funding)


def position_from_pb(message: pb.Position, bounds: IndexBounds = UNBOUNDED) -> Position:
    """Return an open position; raises DecodeError."""
    return Position(
        instrument_index(message.instrument, bounds),
        SIDES.from_pb(message.side, "side"),
        computed_from_text(message.price_entry_average, "price_entry_average"),
        computed_from_text(message.quantity_abs, "quantity_abs"),
        computed_from_text(message.quantity_abs_max, "quantity_abs_max"),
        computed_from_text(message.price_last, "price_last"),
        computed_from_text(message.pnl_realised, "pnl_realised"),
        computed_from_text(message.fees_enter, "fees_enter"),
        computed_from_text(message.fees_exit, "fees_exit"),
        message.time_enter_ns,
        message.time_exchange_update_ns,
        message.trade_count,
        message.trade_digest,
        computed_from_text(message.funding, "funding"),
    )


def exit_totals_to_pb(exits: ExitTotals, into: pb.ExitTotals) -> None:
    """Fill a message with what closed positions made."""
    into.count = exits.count
    into.pnl_realised = computed_to_text(exits.pnl_realised)
    into.fees = computed_to_text(exits.fees)


def exit_totals_from_pb(message: pb.ExitTotals, bounds: IndexBounds = UNBOUNDED) -> ExitTotals:  # noqa: ARG001 - as all readers
    """Return what closed positions made; raises DecodeError."""
    return ExitTotals(
        message.count,
        computed_from_text(message.pnl_realised, "pnl_realised"),
        computed_from_text(message.fees, "fees"),
    )


def strategy_position_to_pb(position: StrategyPosition, into: pb.StrategyPosition) -> None:
    """Fill a message with what one strategy holds."""
    into.strategy = position.strategy
    into.quantity_net = computed_to_text(position.quantity_net)
    into.price_entry_average = computed_to_text(position.price_entry_average)
    into.pnl_realised = computed_to_text(position.pnl_realised)
    into.fees = computed_to_text(position.fees)
    into.funding = computed_to_text(position.funding)
    into.trade_count = position.trade_count
    into.exit_count = position.exit_count


def strategy_position_from_pb(message: pb.StrategyPosition, bounds: IndexBounds = UNBOUNDED) -> StrategyPosition:  # noqa: ARG001 - as all readers
    """Return what one strategy holds; raises DecodeError."""
    return StrategyPosition(
        StrategyId(text(message.strategy, "strategy")),
        computed_from_text(message.quantity_net, "quantity_net"),
        computed_from_text(message.price_entry_average, "price_entry_average"),
        computed_from_text(message.pnl_realised, "pnl_realised"),
        computed_from_text(message.fees, "fees"),
        computed_from_text(message.funding, "funding"),
        message.trade_count,
        message.exit_count,
    )


def funding_totals_to_pb(funding: FundingTotals, into: pb.FundingTotals) -> None:
    """Fill a message with the funding payments of an instrument."""
    into.count = funding.count
    into.amount = computed_to_text(funding.amount)
    into.time_exchange_ns = funding.time_exchange_ns
    into.ids.extend(funding.ids)


def funding_totals_from_pb(message: pb.FundingTotals, bounds: IndexBounds = UNBOUNDED) -> FundingTotals:  # noqa: ARG001 - as all readers
    """Return the funding payments of an instrument; raises DecodeError."""
    amount = computed_from_text(message.amount, "amount")
    return FundingTotals(message.count, amount, message.time_exchange_ns, list(message.ids))


def asset_amount_to_pb(amount: AssetAmount, into: pb.AssetAmount) -> None:
    """Fill a message with an amount of an asset."""
    into.asset = amount.asset
    into.amount = computed_to_text(amount.amount)


def asset_amount_from_pb(message: pb.AssetAmount, bounds: IndexBounds = UNBOUNDED) -> AssetAmount:
    """Return an amount of an asset; raises DecodeError."""
    return AssetAmount(asset_index(message.asset, bounds), computed_from_text(message.amount, "amount"))
