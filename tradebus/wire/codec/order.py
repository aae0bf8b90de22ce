"""Orders, requests and the states of orders: ``order.proto``."""

from typing import Final

from tradebus.core.model.identifiers import ClientOrderId, OrderId, StrategyId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    Amendment,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Expired,
    FullyFilled,
    Open,
    OpenFailed,
    OpenInFlight,
    OpenUnknown,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, exchange_index, instrument_index
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import EncodeError
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.parts import child, named, nothing_set, text
from tradebus.wire.pb.v1 import order_pb2 as pb

SIDES: Final = EnumCodec(Side, pb.Side)
ORDER_KINDS: Final = EnumCodec(OrderKind, pb.OrderKind)
TIMES_IN_FORCE: Final = EnumCodec(TimeInForce, pb.TimeInForce)
REQUEST_KINDS: Final = EnumCodec(RequestKind, pb.RequestKind)
ORDER_ERROR_KINDS: Final = EnumCodec(OrderErrorKind, pb.OrderErrorKind)


def order_key_to_pb(key: OrderKey, into: pb.OrderKey) -> None:
    """Fill a message with the identity of an order."""
    into.exchange = key.exchange
    into.instrument = key.instrument
    into.strategy = key.strategy
    into.cid = key.cid


def order_key_from_pb(message: pb.OrderKey, bounds: IndexBounds = UNBOUNDED) -> OrderKey:
    """Return the identity of an order; the client order id may be empty. Raises DecodeError."""
    return OrderKey(
        exchange_index(message.exchange, bounds),
        instrument_index(message.instrument, bounds),
        StrategyId(text(message.strategy, "strategy")),
        ClientOrderId(message.cid),
    )


def order_request_open_to_pb(request: OrderRequestOpen, into: pb.OrderRequestOpen) -> None:
    """Fill a message with an open request."""
    order_key_to_pb(request.key, into.key)
    into.side = SIDES.to_pb(request.side)
    into.price = computed_to_text(request.price)
    into.quantity = computed_to_text(request.quantity)
    into.kind = ORDER_KINDS.to_pb(request.kind)
    into.time_in_force = TIMES_IN_FORCE.to_pb(request.time_in_force)


def order_request_open_from_pb(message: pb.OrderRequestOpen, bounds: IndexBounds = UNBOUNDED) -> OrderRequestOpen:
    """Return an open request; raises DecodeError."""
    return OrderRequestOpen(
        child(message, "key", message.key, order_key_from_pb, bounds),
        SIDES.from_pb(message.side, "side"),
        computed_from_text(message.price, "price"),
        computed_from_text(message.quantity, "quantity"),
        ORDER_KINDS.from_pb(message.kind, "kind"),
        TIMES_IN_FORCE.from_pb(message.time_in_force, "time_in_force"),
    )


def order_request_cancel_to_pb(request: OrderRequestCancel, into: pb.OrderRequestCancel) -> None:
    """Fill a message with a cancel request."""
    order_key_to_pb(request.key, into.key)
    if request.id is not None:
        into.id = request.id


def order_request_cancel_from_pb(message: pb.OrderRequestCancel, bounds: IndexBounds = UNBOUNDED) -> OrderRequestCancel:
    """Return a cancel request; raises DecodeError."""
    return OrderRequestCancel(
        child(message, "key", message.key, order_key_from_pb, bounds),
        OrderId(text(message.id, "id")) if message.HasField("id") else None,
    )


def order_request_amend_to_pb(request: OrderRequestAmend, into: pb.OrderRequestAmend) -> None:
    """Fill a message with an amend request."""
    order_key_to_pb(request.key, into.key)
    if request.id is not None:
        into.id = request.id
    if request.price is not None:
        into.price = computed_to_text(request.price)
    if request.quantity is not None:
        into.quantity = computed_to_text(request.quantity)


def order_request_amend_from_pb(message: pb.OrderRequestAmend, bounds: IndexBounds = UNBOUNDED) -> OrderRequestAmend:
    """Return an amend request; raises DecodeError."""
    return OrderRequestAmend(
        child(message, "key", message.key, order_key_from_pb, bounds),
        OrderId(text(message.id, "id")) if message.HasField("id") else None,
        computed_from_text(message.price, "price") if message.HasField("price") else None,
        computed_from_text(message.quantity, "quantity") if message.HasField("quantity") else None,
    )


def order_error_to_pb(error: OrderError, into: pb.OrderError) -> None:
    """Fill a message with a failure."""
    into.kind = ORDER_ERROR_KINDS.to_pb(error.kind)
    into.subject = error.subject
    into.message = error.message


def order_error_from_pb(message: pb.OrderError, bounds: IndexBounds = UNBOUNDED) -> OrderError:  # noqa: ARG001 - as all readers
    """Return a failure; raises DecodeError."""
    return OrderError(ORDER_ERROR_KINDS.from_pb(message.kind, "kind"), message.subject, message.message)


def open_to_pb(state: Open, into: pb.Open) -> None:
    """Fill a message with the acknowledged part of an order."""
    into.id = state.id
    into.time_exchange_ns = state.time_exchange_ns
    into.filled_quantity = computed_to_text(state.filled_quantity)


def open_from_pb(message: pb.Open, bounds: IndexBounds = UNBOUNDED) -> Open:  # noqa: ARG001 - as all readers
    """Return the acknowledged part of an order; raises DecodeError."""
    return Open(
        OrderId(text(message.id, "id")),
        message.time_exchange_ns,
        computed_from_text(message.filled_quantity, "filled_quantity"),
    )


def order_to_pb(order: Order, into: pb.Order) -> None:
    """Fill a message with an order; raises EncodeError for a state that the contract does not know."""
    order_key_to_pb(order.key, into.key)
    into.side = SIDES.to_pb(order.side)
    into.price = computed_to_text(order.price)
    into.quantity = computed_to_text(order.quantity)
    into.kind = ORDER_KINDS.to_pb(order.kind)
    into.time_in_force = TIMES_IN_FORCE.to_pb(order.time_in_force)
    if order.quantity_traded:
        into.quantity_traded = computed_to_text(order.quantity_traded)
    if order.amendment is not None:
        into.amendment.price = computed_to_text(order.amendment.price)
        into.amendment.quantity = computed_to_text(order.amendment.quantity)
        into.amendment.is_unknown = order.amendment.is_unknown
    state = order.state
    if isinstance(state, Open):
        open_to_pb(state, into.open)
    elif isinstance(state, OpenInFlight):
        into.open_in_flight.SetInParent()
    elif isinstance(state, CancelInFlight):
        into.cancel_in_flight.SetInParent()
        if state.order is not None:
            open_to_pb(state.order, into.cancel_in_flight.order)
    elif isinstance(state, Cancelled):
        into.cancelled.id = state.id
        into.cancelled.time_exchange_ns = state.time_exchange_ns
    elif isinstance(state, FullyFilled):
        into.fully_filled.SetInParent()
    elif isinstance(state, OpenFailed):
        order_error_to_pb(state.error, into.open_failed.error)
    elif isinstance(state, Expired):
        into.expired.SetInParent()
    elif isinstance(state, OpenUnknown):
        into.open_unknown.SetInParent()
    elif isinstance(state, CancelUnknown):
        into.cancel_unknown.SetInParent()
        if state.order is not None:
            open_to_pb(state.order, into.cancel_unknown.order)
    else:
        raise EncodeError(f"expected a state of an order, found {type(state).__name__}")


def order_from_pb(message: pb.Order, bounds: IndexBounds = UNBOUNDED) -> Order:
    """Return an order; raises DecodeError."""
    return Order(
        child(message, "key", message.key, order_key_from_pb, bounds),
        SIDES.from_pb(message.side, "side"),
        computed_from_text(message.price, "price"),
        computed_from_text(message.quantity, "quantity"),
        ORDER_KINDS.from_pb(message.kind, "kind"),
        TIMES_IN_FORCE.from_pb(message.time_in_force, "time_in_force"),
        _state_from_pb(message, bounds),
        computed_from_text(message.quantity_traded, "quantity_traded") if message.HasField("quantity_traded") else ZERO,
        named("amendment", message.amendment, _amendment_from_pb, bounds) if message.HasField("amendment") else None,
    )


def _amendment_from_pb(message: pb.Amendment, _bounds: IndexBounds) -> Amendment:
    return Amendment(
        computed_from_text(message.price, "price"),
        computed_from_text(message.quantity, "quantity"),
        message.is_unknown,
    )


def _state_from_pb(message: pb.Order, bounds: IndexBounds) -> OrderState:
    which = message.WhichOneof("state")
    if which == "open":
        return named(which, message.open, open_from_pb, bounds)
    if which == "open_in_flight":
        return OPEN_IN_FLIGHT
    if which == "cancel_in_flight":
        return named(which, message.cancel_in_flight, _cancel_in_flight_from_pb, bounds)
    if which == "cancelled":
        return named(which, message.cancelled, _cancelled_from_pb, bounds)
    if which == "fully_filled":
        return FULLY_FILLED
    if which == "open_failed":
        return named(which, message.open_failed, _open_failed_from_pb, bounds)
    if which == "expired":
        return EXPIRED
    if which == "open_unknown":
        return OPEN_UNKNOWN
    if which == "cancel_unknown":
        return named(which, message.cancel_unknown, _cancel_unknown_from_pb, bounds)
    raise nothing_set("state", message)


def _cancel_in_flight_from_pb(message: pb.CancelInFlight, bounds: IndexBounds) -> CancelInFlight:
    return CancelInFlight(named("order", message.order, open_from_pb, bounds) if message.HasField("order") else None)


def _cancel_unknown_from_pb(message: pb.CancelUnknown, bounds: IndexBounds) -> CancelUnknown:
    return CancelUnknown(named("order", message.order, open_from_pb, bounds) if message.HasField("order") else None)


def _cancelled_from_pb(message: pb.Cancelled, _bounds: IndexBounds) -> Cancelled:
    return Cancelled(OrderId(text(message.id, "id")), message.time_exchange_ns)


def _open_failed_from_pb(message: pb.OpenFailed, bounds: IndexBounds) -> OpenFailed:
    return OpenFailed(child(message, "error", message.error, order_error_from_pb, bounds))
