"""Keep the life of one order: each step, and how the order stood after it."""

from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, NamedTuple, final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.funding import AssetAmount
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
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
    OrderState,
)

STEPS_MAX: Final = 64
"""How many steps of one order are kept: the first, and the newest of the others."""


class OrderStatus(Enum):
    """Where an order stands. The first three and the unknown ones are active; refused and not sent ones never left."""

    OPEN_IN_FLIGHT = 1
    OPEN = 2
    CANCEL_IN_FLIGHT = 3
    CANCELLED = 4
    FULLY_FILLED = 5
    OPEN_FAILED = 6
    EXPIRED = 7
    REFUSED = 8
    NOT_SENT = 9
    OPEN_UNKNOWN = 10
    CANCEL_UNKNOWN = 11

    @property
    def is_active(self) -> bool:
        """Tell whether the order may still trade."""
        return self in _ACTIVE


_ACTIVE: Final = frozenset(
    {
        OrderStatus.OPEN_IN_FLIGHT,
        OrderStatus.OPEN,
        OrderStatus.CANCEL_IN_FLIGHT,
        OrderStatus.OPEN_UNKNOWN,
        OrderStatus.CANCEL_UNKNOWN,
    }
)
STATUS_OF: Final[dict[type[OrderState], OrderStatus]] = {
    OpenInFlight: OrderStatus.OPEN_IN_FLIGHT,
    Open: OrderStatus.OPEN,
    CancelInFlight: OrderStatus.CANCEL_IN_FLIGHT,
    Cancelled: OrderStatus.CANCELLED,
    FullyFilled: OrderStatus.FULLY_FILLED,
    OpenFailed: OrderStatus.OPEN_FAILED,
    Expired: OrderStatus.EXPIRED,
    OpenUnknown: OrderStatus.OPEN_UNKNOWN,
    CancelUnknown: OrderStatus.CANCEL_UNKNOWN,
}


class StepKind(Enum):
    """What happened to an order."""

    REQUESTED = 1
    REFUSED = 2
    NOT_SENT = 3
    CANCEL_REQUESTED = 4
    CANCEL_REFUSED = 5
    CANCEL_NOT_SENT = 6
    REPORTED = 7
    FILLED = 8
    CANCEL_ACCEPTED = 9
    CANCEL_REJECTED = 10
    IN_DOUBT = 11
    NEVER_RECEIVED = 12
    AMEND_REQUESTED = 13
    AMEND_REFUSED = 14
    AMEND_NOT_SENT = 15
    AMENDED = 16
    AMEND_REJECTED = 17


@final
class OrderStep:
    """One thing that happened to an order.

    ``time_ns`` is engine time. ``status`` is where the order stood afterwards; ``note`` holds a reason, or a fill's
    quantity and price, else it is empty. ``version`` is the order as it stood afterwards.
    """

    __slots__ = ("kind", "note", "sequence", "status", "time_ns", "version")
    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_ns", "kind", "status", "note")

    def __init__(
        self, sequence: int, time_ns: int, kind: StepKind, status: OrderStatus, note: str, version: "OrderVersion"
    ) -> None:
        self.sequence = sequence
        self.time_ns = time_ns
        self.kind = kind
        self.status = status
        self.note = note
        self.version = version


class OrderVersion(NamedTuple):
    """What changes in an order's life, as it was after a step; steps that change none of it share one."""

    order: Order
    reason: str
    filled_quantity: Decimal
    filled_value: Decimal
    fees: list[AssetAmount]


@final
class OrderLife:
    """An order from its request to its end; ``number`` counts orders from 1 in the order they were first seen."""

    __slots__ = (
        "fees",
        "filled_quantity",
        "filled_value",
        "number",
        "order",
        "reason",
        "status",
        "steps",
        "steps_dropped",
    )

    def __init__(self, number: int, order: Order, status: OrderStatus) -> None:
        self.number = number
        self.order = order
        """As asked for, in its last known state."""
        self.status = status
        self.reason = ""
        """Why it was refused, not sent or failed."""
        self.filled_quantity = ZERO
        self.filled_value = ZERO
        """Price times quantity over its fills, in quote."""
        self.fees: list[AssetAmount] = []
        """Paid for its fills, by asset; negative for rebates."""
        self.steps: list[OrderStep] = []
        self.steps_dropped = 0

    def copy(self) -> "OrderLife":
        """Return a copy that does not change any more; the order and the steps themselves never do."""
        copied = OrderLife(self.number, self.order, self.status)
        copied.reason = self.reason
        copied.filled_quantity = self.filled_quantity
        copied.filled_value = self.filled_value
        copied.fees = self.fees
        copied.steps = list(self.steps)
        copied.steps_dropped = self.steps_dropped
        return copied

    @property
    def version(self) -> OrderVersion:
        """Return what changes in it, as it is now."""
        return OrderVersion(self.order, self.reason, self.filled_quantity, self.filled_value, self.fees)

    def at(self, sequence: int) -> "OrderLife | None":
        """Return it as it was after a tick, none before its first.

        Exact, but for a tick among the steps that are no longer kept: it is then as it was after its first.
        """
        if self.sequence_last <= sequence:
            return self.copy()
        steps = [step for step in self.steps if step.sequence <= sequence]
        if not steps:
            return None
        last = steps[-1]
        past = OrderLife(self.number, last.version.order, last.status)
        _, past.reason, past.filled_quantity, past.filled_value, past.fees = last.version
        past.steps = steps
        past.steps_dropped = self.steps_dropped if len(steps) > 1 else 0
        return past

    @property
    def price_average(self) -> Decimal | None:
        """Return the average price of its fills, none before the first."""
        return self.filled_value / self.filled_quantity if self.filled_quantity else None

    @property
    def sequence_first(self) -> int:
        """Return the tick that it was first seen in."""
        return self.steps[0].sequence

    @property
    def sequence_last(self) -> int:
        """Return the tick that changed it last."""
        return self.steps[-1].sequence

    def note(self, tick: AuditTick, kind: StepKind, note: str = "") -> None:
        """Add a step."""
        if len(self.steps) >= STEPS_MAX:
            del self.steps[1]
            self.steps_dropped += 1
        version = self.version
        if self.steps and _is_same(self.steps[-1].version, version):
            version = self.steps[-1].version
        self.steps.append(OrderStep(tick.sequence, tick.time_ns, kind, self.status, note, version))


def _is_same(one: OrderVersion, other: OrderVersion) -> bool:
    return all(mine is others for mine, others in zip(one, other, strict=True))
