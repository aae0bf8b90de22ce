"""What a simulated exchange knows: the first half of ``simulation.proto``."""

from dataclasses import dataclass
from decimal import Decimal

from tradebus.core.engine.event import AccountSetup
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestAmend, OrderRequestOpen
from tradebus.core.simulation.book import TopOfBook
from tradebus.core.simulation.resting import RestingOrder
from tradebus.core.simulation.state import SimulatedBalance, SimulationState
from tradebus.core.simulation.transit import Arrival, Delivery, Request
from tradebus.wire.codec.account import account_event_from_pb, account_event_to_pb, trade_from_pb, trade_to_pb
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, bounds_of
from tradebus.wire.codec.engine import account_setup_from_pb, account_setup_to_pb
from tradebus.wire.codec.error import Inconsistent
from tradebus.wire.codec.instrument import indexed_instruments_from_pb, indexed_instruments_to_pb
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.order import (
    order_request_amend_from_pb,
    order_request_amend_to_pb,
    order_request_cancel_from_pb,
    order_request_cancel_to_pb,
    order_request_open_from_pb,
    order_request_open_to_pb,
)
from tradebus.wire.codec.parts import child, children, named, nothing_set, text
from tradebus.wire.pb.v1 import simulation_pb2 as pb


@dataclass(frozen=True, slots=True)
class SimulatedAccount:
    """The simulated exchange of an account: its setup, its index, and what it knows."""

    setup: AccountSetup
    index: IndexedInstruments
    state: SimulationState


def simulated_account_to_pb(account: SimulatedAccount, into: pb.SimulatedAccount) -> None:
    """Fill a message with a simulated exchange; raises EncodeError."""
    account_setup_to_pb(account.setup, into.setup)
    indexed_instruments_to_pb(account.index, into.index)
    simulation_state_to_pb(account.state, into.state)


def simulated_account_from_pb(message: pb.SimulatedAccount, bounds: IndexBounds = UNBOUNDED) -> SimulatedAccount:
    """Return a simulated exchange; raises DecodeError, also for a state that is not of its index."""
    index = child(message, "index", message.index, indexed_instruments_from_pb, bounds)
    own = bounds_of(index)
    setup = child(message, "setup", message.setup, account_setup_from_pb, own)
    state = child(message, "state", message.state, simulation_state_from_pb, own)
    if len(state.books) != len(index.instruments):
        raise Inconsistent(f"expected {len(index.instruments)} books, found {len(state.books)}", "state.books")
    return SimulatedAccount(setup, index, state)


def simulation_state_to_pb(state: SimulationState, into: pb.SimulationState) -> None:
    """Fill a message with what a simulated exchange knows; raises EncodeError."""
    into.SetInParent()
    for book in state.books:
        _book_to_pb(book, into.books.add())
    for order in state.resting:
        _resting_to_pb(order, into.resting.add())
    for arrival in state.arrivals:
        _arrival_to_pb(arrival, into.arrivals.add())
    for delivery in state.deliveries:
        part = into.deliveries.add(due_ns=delivery.due_ns)
        account_event_to_pb(delivery.event, part.event)
    for balance in state.balances:
        total, free = computed_to_text(balance.total), computed_to_text(balance.free)
        into.balances.add(asset=balance.asset, total=total, free=free)
    into.sequence = state.sequence
    into.ordinal = state.ordinal
    into.orders = state.orders
    into.trades = state.trades
    for trade in state.history:
        trade_to_pb(trade, into.history.add())


def simulation_state_from_pb(message: pb.SimulationState, bounds: IndexBounds = UNBOUNDED) -> SimulationState:
    """Return what a simulated exchange knows; raises DecodeError."""
    return SimulationState(
        children("books", message.books, _book_from_pb, bounds),
        children("resting", message.resting, _resting_from_pb, bounds),
        children("arrivals", message.arrivals, _arrival_from_pb, bounds),
        children("deliveries", message.deliveries, _delivery_from_pb, bounds),
        children("balances", message.balances, _balance_from_pb, bounds),
        message.sequence,
        message.ordinal,
        message.orders,
        message.trades,
        children("history", message.history, trade_from_pb, bounds),
    )


def _book_to_pb(book: TopOfBook, into: pb.TopOfBook) -> None:
    if book.bid_price is not None:
        into.bid_price = computed_to_text(book.bid_price)
    into.bid_amount = computed_to_text(book.bid_amount)
    if book.ask_price is not None:
        into.ask_price = computed_to_text(book.ask_price)
    into.ask_amount = computed_to_text(book.ask_amount)
    if book.price_last is not None:
        into.price_last = computed_to_text(book.price_last)
    into.is_quoted = book.is_quoted


def _book_from_pb(message: pb.TopOfBook, _bounds: IndexBounds) -> TopOfBook:
    return TopOfBook(
        computed_from_text(message.bid_price, "bid_price") if message.HasField("bid_price") else None,
        computed_from_text(message.bid_amount, "bid_amount"),
        computed_from_text(message.ask_price, "ask_price") if message.HasField("ask_price") else None,
        computed_from_text(message.ask_amount, "ask_amount"),
        computed_from_text(message.price_last, "price_last") if message.HasField("price_last") else None,
        message.is_quoted,
    )


def _resting_to_pb(order: RestingOrder, into: pb.RestingOrder) -> None:
    order_request_open_to_pb(order.request, into.request)
    into.id = order.id
    into.reserve_price = computed_to_text(order.reserve_price)
    into.quantity = computed_to_text(order.quantity)
    into.filled = computed_to_text(order.filled)
    if order.queue_ahead is not None:
        into.queue_ahead = computed_to_text(order.queue_ahead)


def _resting_from_pb(message: pb.RestingOrder, bounds: IndexBounds) -> RestingOrder:
    order = RestingOrder(
        child(message, "request", message.request, order_request_open_from_pb, bounds),
        OrderId(text(message.id, "id")),
        computed_from_text(message.reserve_price, "reserve_price"),
        computed_from_text(message.quantity, "quantity"),
    )
    order.filled = computed_from_text(message.filled, "filled")
    order.queue_ahead = _queue_ahead(message)
    return order


def _queue_ahead(message: pb.RestingOrder) -> Decimal | None:
    return computed_from_text(message.queue_ahead, "queue_ahead") if message.HasField("queue_ahead") else None


def _arrival_to_pb(arrival: Arrival, into: pb.Arrival) -> None:
    into.time_ns = arrival.time_ns
    request = arrival.request
    if isinstance(request, OrderRequestOpen):
        order_request_open_to_pb(request, into.open)
    elif isinstance(request, OrderRequestAmend):
        order_request_amend_to_pb(request, into.amend)
    else:
        order_request_cancel_to_pb(request, into.cancel)


def _arrival_from_pb(message: pb.Arrival, bounds: IndexBounds) -> Arrival:
    which = message.WhichOneof("request")
    request: Request
    if which == "open":
        request = named(which, message.open, order_request_open_from_pb, bounds)
    elif which == "cancel":
        request = named(which, message.cancel, order_request_cancel_from_pb, bounds)
    elif which == "amend":
        request = named(which, message.amend, order_request_amend_from_pb, bounds)
    else:
        raise nothing_set("request", message)
    return Arrival(message.time_ns, request)


def _delivery_from_pb(message: pb.Delivery, bounds: IndexBounds) -> Delivery:
    return Delivery(message.due_ns, child(message, "event", message.event, account_event_from_pb, bounds))


def _balance_from_pb(message: pb.SimulatedBalance, bounds: IndexBounds) -> SimulatedBalance:
    return SimulatedBalance(
        asset_index(message.asset, bounds),
        computed_from_text(message.total, "total"),
        computed_from_text(message.free, "free"),
    )
