"""Keep the life of our orders: what was asked, each answer, each fill, how it ended.

The state holds active orders only, and only as they are now. Here every order stays, also one that was refused before
it left, until ``finished_max`` finished ones came after it; active orders always stay.
"""

from typing import final

from services.audit.projections.kept_orders import KeptOrders
from services.audit.projections.order_life import STATUS_OF, OrderLife, OrderStatus, StepKind
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
from tradebus.core.engine.state.funding import add_amount
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    FULLY_FILLED,
    Cancelled,
    OpenFailed,
    Order,
    OrderError,
    OrderRequestAmend,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    is_active,
    order_from_request,
)


@final
class Orders(KeptOrders):
    """All orders of a journal, kept current tick by tick."""

    def take_event(self, tick: AuditTick, event: AccountEvent, state: EngineState) -> None:
        """Take in an account event that the state has taken in just now."""
        data = event.data
        if isinstance(data, OrderReceived):
            self._reported(tick, data.order, state)
        elif isinstance(data, TradeReceived):
            life = self.lives.get(data.trade.cid)
            if life is not None:
                trade = data.trade
                life.filled_quantity += abs(trade.quantity)
                life.filled_value += trade.value_quote
                asset = trade.fees_asset
                if asset is None:
                    asset = state.instruments[trade.instrument].pnl_asset
                life.fees = add_amount(life.fees, asset, trade.fees)
                was_active = life.status.is_active
                if not self.follow(life, state) and was_active:
                    life.status = OrderStatus.FULLY_FILLED
                    life.order = life.order.with_state(FULLY_FILLED)
                    self.finish(life)
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
        for life in self.lives.values():
            before = life.status
            if before.is_active and life.order.key.exchange == event.exchange:
                self.follow(life, state)
                if life.status is not before:
                    life.note(tick, StepKind.IN_DOUBT, f"the account's link is {event.link.name.lower()}")

    def take_output(self, tick: AuditTick, output: RequestsDecided, state: EngineState) -> None:
        """Take in requests that the state has taken in just now."""
        for request in output.opens_sent:
            if request.key.cid not in self.lives:  # a colliding id: the first order stays, as in the state
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
        life = self.begin(order_from_request(request), status)
        if status is not OrderStatus.OPEN_IN_FLIGHT:
            life.reason = note
        life.note(tick, kind, note)
        return life

    def _never_left(
        self, tick: AuditTick, request: OrderRequestOpen, status: OrderStatus, kind: StepKind, reason: str
    ) -> None:
        if not request.key.cid or request.key.cid in self.lives:
            return  # refused for its id, which names another order, or none
        self.finish(self._requested(tick, request, status, kind, reason))

    def _cancel(self, tick: AuditTick, cid: ClientOrderId, kind: StepKind, note: str, state: EngineState) -> None:
        life = self.lives.get(cid)
        if life is not None:
            self.follow(life, state)
            life.note(tick, kind, note)

    def _reported(self, tick: AuditTick, order: Order, state: EngineState) -> None:
        life = self.lives.get(order.key.cid)
        if life is None:
            if self.tracked(order, state) is None:
                return  # the end of an order that was finished, or never ours to follow
            life = self.begin(order, STATUS_OF[type(order.state)])
        was_active = life.status.is_active
        if not self.follow(life, state) and was_active:
            self._end(life, order.state)
        life.note(tick, StepKind.REPORTED, _reason(order.state))

    def _cancel_answered(self, tick: AuditTick, answer: CancelAnswered, state: EngineState) -> None:
        life = self.lives.get(answer.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self.follow(life, state) and was_active:
            life.status = OrderStatus.CANCELLED
            if answer.id is not None and answer.time_exchange_ns is not None:
                life.order = life.order.with_state(Cancelled(answer.id, answer.time_exchange_ns))
            self.finish(life)
        if answer.error is None:
            life.note(tick, StepKind.CANCEL_ACCEPTED)
        else:
            life.note(tick, StepKind.CANCEL_REJECTED, _error(answer.error))

    def _amend_answered(self, tick: AuditTick, answer: AmendAnswered, state: EngineState) -> None:
        life = self.lives.get(answer.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self.follow(life, state) and was_active:
            life.status = OrderStatus.FULLY_FILLED  # nothing remains of the new quantity
            life.order = life.order.with_state(FULLY_FILLED)
            self.finish(life)
        if answer.error is None:
            life.note(tick, StepKind.AMENDED)
        else:
            life.note(tick, StepKind.AMEND_REJECTED, _error(answer.error))

    def _in_doubt(self, tick: AuditTick, doubt: RequestInDoubt, state: EngineState) -> None:
        life = self.lives.get(doubt.key.cid)
        if life is not None:
            self.follow(life, state)
            life.note(tick, StepKind.IN_DOUBT, f"{doubt.request.name.lower()}: {doubt.reason}")

    def _never_received(self, tick: AuditTick, found: RequestNeverReceived, state: EngineState) -> None:
        life = self.lives.get(found.key.cid)
        if life is None:
            return
        was_active = life.status.is_active
        if not self.follow(life, state) and was_active and found.request is RequestKind.OPEN:
            life.status = OrderStatus.NOT_SENT
            life.reason = found.reason
            self.finish(life)
        life.note(tick, StepKind.NEVER_RECEIVED, f"{found.request.name.lower()}: {found.reason}")

    def _end(self, life: OrderLife, last: OrderState) -> None:
        """Close an order that the state let go after a report of it; a full one may be reported as open."""
        if is_active(last):
            life.status = OrderStatus.FULLY_FILLED
        else:
            life.status = STATUS_OF[type(last)]
        life.order = life.order.with_state(last)
        life.reason = _reason(last)
        self.finish(life)


def _amend(request: OrderRequestAmend) -> str:
    changes = (("quantity", request.quantity), ("price", request.price))
    return ", ".join(f"{name} {value:f}" for name, value in changes if value is not None)


def _reason(state: OrderState) -> str:
    return _error(state.error) if isinstance(state, OpenFailed) else ""


def _error(error: OrderError) -> str:
    words = error.kind.name.lower()
    details = ": ".join(part for part in (error.subject, error.message) if part)
    return f"{words}: {details}" if details else words
