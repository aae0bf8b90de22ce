"""Keep the life of our orders: what was asked, each answer, each fill, how it ended.

The state holds active orders only, and only as they are now. Here every order stays, also one that was refused before
it left, until ``finished_max`` finished ones came after it; active orders always stay.
"""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, NamedTuple, final

from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AmendAnswered,
    CancelAnswered,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.funding import AssetAmount, add_amount
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    FULLY_FILLED,
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
    OrderRequestAmend,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    is_active,
    order_from_request,
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
_OF_STATE: Final[dict[type[OrderState], OrderStatus]] = {
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


@final
class Orders:
    """All orders of a journal by client order id: the active ones and the newest finished ones."""

    def __init__(self, finished_max: int) -> None:
        self.finished_max: Final = finished_max
        self._lives: dict[ClientOrderId, OrderLife] = {}
        self._finished: deque[ClientOrderId] = deque()
        self.count = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._lives)

    def get(self, cid: str) -> OrderLife | None:
        """Return an order's life, none where it is not kept or never was."""
        return self._lives.get(ClientOrderId(cid))

    def newest_first(self, before: int | None = None) -> Iterator[OrderLife]:
        """Yield orders from the last one made back, only those with numbers below ``before``."""
        for life in reversed(self._lives.values()):
            if before is None or life.number < before:
                yield life

    def oldest_first(self, after: int = 0) -> Iterator[OrderLife]:
        """Yield orders from the first one kept on, only those with numbers above ``after``."""
        for life in self._lives.values():
            if life.number > after:
                yield life

    def frozen(self) -> tuple[list[str], int, int]:
        """Return which orders are finished, in that order, and the counts of all orders and of those let go."""
        return [str(cid) for cid in self._finished], self.count, self.dropped

    def restore(self, lives: list[OrderLife], finished: list[str], count: int, dropped: int) -> None:
        """Go on from these orders, the first made first."""
        self._lives = {life.order.key.cid: life for life in lives}
        self._finished = deque(ClientOrderId(cid) for cid in finished)
        self.count = count
        self.dropped = dropped

    def take_event(self, tick: AuditTick, event: AccountEvent, state: EngineState) -> None:
        """Take in an account event that the state has taken in just now."""
        data = event.data
        if isinstance(data, OrderReceived):
            self._reported(tick, data.order, state)
        elif isinstance(data, TradeReceived):
            life = self._lives.get(data.trade.cid)
            if life is not None:
                trade = data.trade
                life.filled_quantity += abs(trade.quantity)
                life.filled_value += trade.value_quote
                asset = trade.fees_asset
                if asset is None:
                    asset = state.instruments[trade.instrument].pnl_asset
                life.fees = add_amount(life.fees, asset, trade.fees)
                was_active = life.status.is_active
                if not self._follow(life, state) and was_active:
                    life.status = OrderStatus.FULLY_FILLED
                    life.order = life.order.with_state(FULLY_FILLED)
                    self._finish(life)
                life.note(tick, StepKind.FILLED, f"{abs(trade.quantity):f} at {trade.price:f}")
        elif isinstance(data, CancelAnswered):
            self._cancel_answered(tick, data, state)
        elif isinstance(data, AmendAnswered):
            self._amend_answered(tick, data, state)
        elif isinstance(data, RequestInDoubt):
            self._in_doubt(tick, data, state)
        elif isinstance(data, RequestNeverReceived):
            self._never_received(tick, data, state)
        elif isinstance(data, SnapshotReceived):
            for order in data.snapshot.orders:
                self._reported(tick, order, state)

    def take_link(self, tick: AuditTick, event: AccountLinkChanged, state: EngineState) -> None:
        """Take in the change of a link, which may leave requests in doubt."""
        for life in self._lives.values():
            before = life.status
            if before.is_active and life.order.key.exchange == event.exchange:
                self._follow(life, state)
                if life.status is not before:
                    life.note(tick, StepKind.IN_DOUBT, f"the account's link is {event.link.name.lower()}")

    def take_output(self, tick: AuditTick, output: RequestsDecided, state: EngineState) -> None:
        """Take in requests that the state has taken in just now."""
        for request in output.opens_sent:
            if request.key.cid not in self._lives:  # a colliding id: the first order stays, as in the state
                self._requested(tick, request, OrderStatus.OPEN_IN_FLIGHT, StepKind.REQUESTED, "")
        for refused in output.opens_refused:
            self._never_left(tick, refused.request, OrderStatus.REFUSED, StepKind.REFUSED, refused.reason)
        for failed in output.opens_failed:
            self._never_left(tick, failed.request, OrderStatus.NOT_SENT, StepKind.NOT_SENT, failed.error.message)
        for cancel in output.cancels_sent:
            self._cancel(tick, cancel.key.cid, StepKind.CANCEL_REQUESTED, "", state)
        for cancel_refused in output.cancels_refused:
            self._cancel(tick, cancel_refused.request.key.cid, StepKind.CANCEL_REFUSED, cancel_refused.reason, state)
        for cancel_failed in output.cancels_failed:
            message = cancel_failed.error.message
            self._cancel(tick, cancel_failed.request.key.cid, StepKind.CANCEL_NOT_SENT, message, state)
        for amend in output.amends_sent:
            self._cancel(tick, amend.key.cid, StepKind.AMEND_REQUESTED, _amend(amend), state)
        for amend_refused in output.amends_refused:
            self._cancel(tick, amend_refused.request.key.cid, StepKind.AMEND_REFUSED, amend_refused.reason, state)
        for amend_failed in output.amends_failed:
            message = amend_failed.error.message
            self._cancel(tick, amend_failed.request.key.cid, StepKind.AMEND_NOT_SENT, message, state)

    # ------------------------------------------------------------------------------ inside

    def _requested(
        self, tick: AuditTick, request: OrderRequestOpen, status: OrderStatus, kind: StepKind, note: str
    ) -> OrderLife:
        life = self._begin(order_from_request(request), status)
        if status is not OrderStatus.OPEN_IN_FLIGHT:
            life.reason = note
        life.note(tick, kind, note)
        return life

    def _never_left(
        self, tick: AuditTick, request: OrderRequestOpen, status: OrderStatus, kind: StepKind, reason: str
    ) -> None:
        if not request.key.cid or request.key.cid in self._lives:
            return  # refused for its id, which names another order, or none
        self._finish(self._requested(tick, request, status, kind, reason))

    def _cancel(self, tick: AuditTick, cid: ClientOrderId, kind: StepKind, note: str, state: EngineState) -> None:
        life = self._lives.get(cid)
        if life is not None:
            self._follow(life, state)
            life.note(tick, kind, note)

    def _reported(self, tick: AuditTick, order: Order, state: EngineState) -> None:
        life = self._lives.get(order.key.cid)
        if life is None:
            if self._tracked(order, state) is None:
                return  # the end of an order that was finished, or never ours to follow
            life = self._begin(order, _OF_STATE[type(order.state)])
        was_active = life.status.is_active
        if not self._follow(life, state) and was_active:
            self._end(life, order.state)
        life.note(tick, StepKind.REPORTED, _reason(order.state))

    def _cancel_answered(self, tick: AuditTick, answer: CancelAnswered, state: EngineState) -> None:
        life = self._lives.get(answer.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self._follow(life, state) and was_active:
            life.status = OrderStatus.CANCELLED
            if answer.id is not None and answer.time_exchange_ns is not None:
                life.order = life.order.with_state(Cancelled(answer.id, answer.time_exchange_ns))
            self._finish(life)
        if answer.error is None:
            life.note(tick, StepKind.CANCEL_ACCEPTED)
        else:
            life.note(tick, StepKind.CANCEL_REJECTED, _error(answer.error))

    def _amend_answered(self, tick: AuditTick, answer: AmendAnswered, state: EngineState) -> None:
        life = self._lives.get(answer.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self._follow(life, state) and was_active:
            life.status = OrderStatus.FULLY_FILLED  # nothing remains of the new quantity
            life.order = life.order.with_state(FULLY_FILLED)
            self._finish(life)
        if answer.error is None:
            life.note(tick, StepKind.AMENDED)
        else:
            life.note(tick, StepKind.AMEND_REJECTED, _error(answer.error))

    def _in_doubt(self, tick: AuditTick, doubt: RequestInDoubt, state: EngineState) -> None:
        life = self._lives.get(doubt.key.cid)
        if life is not None:
            self._follow(life, state)
            life.note(tick, StepKind.IN_DOUBT, f"{doubt.request.name.lower()}: {doubt.reason}")

    def _never_received(self, tick: AuditTick, found: RequestNeverReceived, state: EngineState) -> None:
        life = self._lives.get(found.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self._follow(life, state) and was_active and found.request is RequestKind.OPEN:
            life.status = OrderStatus.NOT_SENT
            life.reason = found.reason
            self._finish(life)
        life.note(tick, StepKind.NEVER_RECEIVED, f"{found.request.name.lower()}: {found.reason}")

    def _begin(self, order: Order, status: OrderStatus) -> OrderLife:
        self.count += 1
        life = OrderLife(self.count, order, status)
        self._lives[order.key.cid] = life
        return life

    def _tracked(self, order: Order, state: EngineState) -> Order | None:
        return state.instruments[order.key.instrument].orders.get(order.key.cid)

    def _follow(self, life: OrderLife, state: EngineState) -> bool:
        """Take over what the state says of an order; tell whether it still holds it."""
        tracked = self._tracked(life.order, state)
        if tracked is None:
            return False
        if not life.status.is_active:
            self._finished.remove(life.order.key.cid)  # a late report brought it back
        life.order = tracked
        life.status = _OF_STATE[type(tracked.state)]
        return True

    def _end(self, life: OrderLife, last: OrderState) -> None:
        """Close an order that the state let go after a report of it; a full one may be reported as open."""
        if is_active(last):
            life.status = OrderStatus.FULLY_FILLED
        else:
            life.status = _OF_STATE[type(last)]
        life.order = life.order.with_state(last)
        life.reason = _reason(last)
        self._finish(life)

    def _finish(self, life: OrderLife) -> None:
        self._finished.append(life.order.key.cid)
        if len(self._finished) > self.finished_max:
            del self._lives[self._finished.popleft()]
            self.dropped += 1


def _is_same(one: OrderVersion, other: OrderVersion) -> bool:
    return all(mine is others for mine, others in zip(one, other, strict=True))


def _amend(request: OrderRequestAmend) -> str:
    changes = (("quantity", request.quantity), ("price", request.price))
    return ", ".join(f"{name} {value:f}" for name, value in changes if value is not None)


def _reason(state: OrderState) -> str:
    return _error(state.error) if isinstance(state, OpenFailed) else ""


def _error(error: OrderError) -> str:
    words = error.kind.name.lower()
    details = ": ".join(part for part in (error.subject, error.message) if part)
    return f"{words}: {details}" if details else words
