"""Describe orders: what we ask for, what exists, and the states it can be in.

Source: barter 0.12.5, barter-execution ``order``. The moves between states stand in ``order_machine``.
"""

from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import (
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
)
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


class OrderKind(Enum):
    """Market orders carry a price too: the one the decision was made at."""

    MARKET = 1
    LIMIT = 2


class TimeInForce(Enum):
    """How long an order stays in force; post-only refuses to take liquidity."""

    GOOD_UNTIL_CANCELLED = 1
    GOOD_UNTIL_CANCELLED_POST_ONLY = 2
    GOOD_UNTIL_END_OF_DAY = 3
    FILL_OR_KILL = 4
    IMMEDIATE_OR_CANCEL = 5


class OrderErrorKind(Enum):
    """Why an order or cancel failed. The first three are connectivity, the others are the venue's refusal."""

    EXCHANGE_OFFLINE = 1
    TIMEOUT = 2
    SOCKET = 3
    ASSET_INVALID = 4
    INSTRUMENT_INVALID = 5
    RATE_LIMIT = 6
    BALANCE_INSUFFICIENT = 7
    ORDER_REJECTED = 8
    ORDER_ALREADY_CANCELLED = 9
    ORDER_ALREADY_FULLY_FILLED = 10
    ORDER_UNKNOWN = 11

    @property
    def is_connectivity(self) -> bool:
        """Tell whether the venue said nothing: what became of the request is then not known, which is no refusal."""
        return self.value <= OrderErrorKind.SOCKET.value


class RequestKind(Enum):
    """What was asked of a venue."""

    OPEN = 1
    CANCEL = 2
    AMEND = 3


@final
class OrderError(Record):
    """A failed request: the kind, what it concerns (an asset's or instrument's name), and the venue's words."""

    FIELDS: ClassVar[tuple[str, ...]] = ("kind", "subject", "message")

    def __init__(self, kind: OrderErrorKind, subject: str, message: str) -> None:
        self.kind: Final = kind
        self.subject: Final = subject
        self.message: Final = message


@final
class OrderKey(Record):
    """Identify an order everywhere: exchange, instrument, strategy and our client order id."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "instrument", "strategy", "cid")

    def __init__(
        self, exchange: ExchangeIndex, instrument: InstrumentIndex, strategy: StrategyId, cid: ClientOrderId
    ) -> None:
        self.exchange: Final = exchange
        self.instrument: Final = instrument
        self.strategy: Final = strategy
        self.cid: Final = cid


@final
class OrderRequestOpen(Record):
    """Ask for an order. Price in quote, quantity in the instrument's unit, both above zero.

    A key with an empty client order id asks the engine to derive one.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "side", "price", "quantity", "kind", "time_in_force")

    def __init__(
        self,
        key: OrderKey,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        kind: OrderKind,
        time_in_force: TimeInForce,
    ) -> None:
        self.key: Final = key
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity
        self.kind: Final = kind
        self.time_in_force: Final = time_in_force


@final
class OrderRequestCancel(Record):
    """Ask to cancel an order, by the venue's id where it is known, else by client order id."""

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id")

    def __init__(self, key: OrderKey, id: OrderId | None) -> None:
        self.key: Final = key
        self.id: Final = id


@final
class OrderRequestAmend(Record):
    """Ask for another price or quantity of an open limit order; none leaves it as it is.

    The quantity is the whole of the order's, what has filled included.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("key", "id", "price", "quantity")

    def __init__(self, key: OrderKey, id: OrderId | None, price: Decimal | None, quantity: Decimal | None) -> None:
        self.key: Final = key
        self.id: Final = id
        self.price: Final = price
        self.quantity: Final = quantity


@final
class Amendment(Record):
    """What an amend asked for that is not answered; ``is_unknown``: no answer will come. The quantity is the whole."""

    FIELDS: ClassVar[tuple[str, ...]] = ("price", "quantity", "is_unknown")

    def __init__(self, price: Decimal, quantity: Decimal, is_unknown: bool) -> None:
        self.price: Final = price
        self.quantity: Final = quantity
        self.is_unknown: Final = is_unknown


class OrderState(Record):
    """Base of the order states."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class OpenInFlight(OrderState):
    """Sent, not yet answered."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class OpenUnknown(OrderState):
    """Sent, and what became of it is not known: it may be live. Ends only by what the venue is found to say."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class Open(OrderState):
    """Resting at the venue, partly filled by ``filled_quantity``."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "time_exchange_ns", "filled_quantity")

    def __init__(self, id: OrderId, time_exchange_ns: int, filled_quantity: Decimal) -> None:
        self.id: Final = id
        self.time_exchange_ns: Final = time_exchange_ns
        self.filled_quantity: Final = filled_quantity


@final
class CancelInFlight(OrderState):
    """A cancel was sent and is not yet answered; holds the open part, if the order was acknowledged."""

    FIELDS: ClassVar[tuple[str, ...]] = ("order",)

    def __init__(self, order: Open | None) -> None:
        self.order: Final = order


@final
class CancelUnknown(OrderState):
    """A cancel was sent, and what became of it is not known; holds the open part, if the order was acknowledged."""

    FIELDS: ClassVar[tuple[str, ...]] = ("order",)

    def __init__(self, order: Open | None) -> None:
        self.order: Final = order


@final
class Cancelled(OrderState):
    """Gone from the book by cancel; terminal."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "time_exchange_ns")

    def __init__(self, id: OrderId, time_exchange_ns: int) -> None:
        self.id: Final = id
        self.time_exchange_ns: Final = time_exchange_ns


@final
class FullyFilled(OrderState):
    """Nothing remains; terminal."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class OpenFailed(OrderState):
    """The venue refused the order; terminal."""

    FIELDS: ClassVar[tuple[str, ...]] = ("error",)

    def __init__(self, error: OrderError) -> None:
        self.error: Final = error


@final
class Expired(OrderState):
    """The time in force ended; terminal."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


OPEN_IN_FLIGHT: Final = OpenInFlight()
OPEN_UNKNOWN: Final = OpenUnknown()
FULLY_FILLED: Final = FullyFilled()
EXPIRED: Final = Expired()


@final
class Order(Record):
    """An order: what was asked for, and its state. Immutable; a move gives a new order.

    ``quantity_traded`` is the sum of its fills that came in; what its state says is filled is never less.
    ``amendment`` is what an amend asks for, until it is answered.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "key",
        "side",
        "price",
        "quantity",
        "kind",
        "time_in_force",
        "state",
        "quantity_traded",
        "amendment",
    )

    def __init__(
        self,
        key: OrderKey,
        side: Side,
        price: Decimal,
        quantity: Decimal,
        kind: OrderKind,
        time_in_force: TimeInForce,
        state: OrderState,
        quantity_traded: Decimal = ZERO,
        amendment: Amendment | None = None,
    ) -> None:
        self.key: Final = key
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity
        self.kind: Final = kind
        self.time_in_force: Final = time_in_force
        self.state: Final = state
        self.quantity_traded: Final = quantity_traded
        self.amendment: Final = amendment

    def with_state(self, state: OrderState) -> "Order":
        """Return this order in another state; everything that was asked for stays."""
        return Order(
            self.key,
            self.side,
            self.price,
            self.quantity,
            self.kind,
            self.time_in_force,
            state,
            self.quantity_traded,
            self.amendment,
        )

    def with_fill(self, quantity: Decimal) -> "Order":
        """Return this order with one more fill counted, in the same state."""
        return Order(
            self.key,
            self.side,
            self.price,
            self.quantity,
            self.kind,
            self.time_in_force,
            self.state,
            self.quantity_traded + quantity,
            self.amendment,
        )

    def with_terms(self, price: Decimal, quantity: Decimal, amendment: Amendment | None) -> "Order":
        """Return this order at another price, of another quantity, or asking for others, in the same state."""
        return Order(
            self.key,
            self.side,
            price,
            quantity,
            self.kind,
            self.time_in_force,
            self.state,
            self.quantity_traded,
            amendment,
        )

    def quantity_largest(self) -> Decimal:
        """Return the order's quantity, or the one asked for where that is more: either may be true."""
        return self.quantity if self.amendment is None else max(self.quantity, self.amendment.quantity)

    def quantity_remaining(self) -> Decimal:
        """Return what may still fill, as far as the state knows; while an amend is not answered, of the larger one."""
        part = open_part(self.state)
        quantity = self.quantity_largest()
        return quantity if part is None else quantity - part.filled_quantity


def order_from_request(request: OrderRequestOpen) -> Order:
    """Return the order that a sent request becomes: in flight."""
    return Order(
        request.key,
        request.side,
        request.price,
        request.quantity,
        request.kind,
        request.time_in_force,
        OPEN_IN_FLIGHT,
    )


def cancel_request(order: Order) -> OrderRequestCancel | None:
    """Return the cancel request for an active order; none when a cancel is already in flight.

    One that got lost is asked for again: cancelling twice harms nothing.
    """
    state = order.state
    if isinstance(state, Open):
        return OrderRequestCancel(order.key, state.id)
    if isinstance(state, (OpenInFlight, OpenUnknown)):
        return OrderRequestCancel(order.key, None)
    if isinstance(state, CancelUnknown):
        return OrderRequestCancel(order.key, None if state.order is None else state.order.id)
    return None


def is_active(state: OrderState) -> bool:
    """Tell whether an order in this state may still trade."""
    return isinstance(state, (OpenInFlight, Open, CancelInFlight, OpenUnknown, CancelUnknown))


def is_unknown(state: OrderState) -> bool:
    """Tell whether what became of a request is not known; such an order counts as live until the venue is asked."""
    return isinstance(state, (OpenUnknown, CancelUnknown))


def open_part(state: OrderState) -> Open | None:
    """Return the acknowledged part of a state: the open order itself, or the one that a cancel was sent for."""
    if isinstance(state, Open):
        return state
    if isinstance(state, (CancelInFlight, CancelUnknown)):
        return state.order
    return None


def with_open_part(state: OrderState, part: Open) -> OrderState:
    """Return an acknowledged state with another open part."""
    if isinstance(state, CancelInFlight):
        return CancelInFlight(part)
    if isinstance(state, CancelUnknown):
        return CancelUnknown(part)
    return part


def state_time_exchange_ns(state: OrderState) -> int | None:
    """Return the venue's time of a state, where it carries one."""
    if isinstance(state, Cancelled):
        return state.time_exchange_ns
    part = open_part(state)
    return None if part is None else part.time_exchange_ns
