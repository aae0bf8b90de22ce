"""Keep the active orders of one instrument, by client order id; finished ones leave.

The moves stand in ``model.order_machine``.
"""

from tradebus.core.engine.event import AmendAnswered
from tradebus.core.model.account import Trade
from tradebus.core.model.amend_machine import (
    AmendCause,
    is_overtaken,
    next_amended,
    seen_cause,
    with_venue_id,
)
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    Open,
    Order,
    OrderError,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
    open_part,
    order_from_request,
)
from tradebus.core.model.order_machine import Cause, fill_cause, next_order, snapshot_cause

Orders = dict[ClientOrderId, Order]


def _store(orders: Orders, cid: ClientOrderId, before: Order | None, after: Order | None) -> None:
    if after is None:
        if before is not None:
            del orders[cid]
    elif after is not before:
        orders[cid] = after


def record_open(orders: Orders, request: OrderRequestOpen) -> None:
    """Track a sent open request as in flight."""
    cid = request.key.cid
    before = orders.get(cid)
    _store(orders, cid, before, next_order(before, Cause.REQUEST_OPEN, order_from_request(request)))


def record_cancel(orders: Orders, request: OrderRequestCancel) -> None:
    """Note that a cancel was sent; nothing happens to an order that is not tracked."""
    cid = request.key.cid
    before = orders.get(cid)
    _store(orders, cid, before, next_order(before, Cause.REQUEST_CANCEL, None))


def record_amend(orders: Orders, request: OrderRequestAmend) -> None:
    """Note that an amend was sent; nothing happens to an order that is not tracked."""
    before = orders.get(request.key.cid)
    if before is not None:
        price = before.price if request.price is None else request.price
        quantity = before.quantity if request.quantity is None else request.quantity
        _keep(orders, before, next_amended(before, AmendCause.REQUEST, price, quantity))


def update_from_amend_answer(orders: Orders, answer: AmendAnswered) -> None:
    """Take in the answer to an amend; an order of which nothing remains by its new quantity leaves."""
    before = orders.get(answer.key.cid)
    if before is None:
        return
    if answer.error is not None:
        asked = before.amendment
        if asked is None or answer.price not in (None, asked.price) or answer.quantity not in (None, asked.quantity):
            return
        cause = AmendCause.IN_DOUBT if answer.error.kind.is_connectivity else AmendCause.REFUSED
        _keep(orders, before, next_amended(before, cause, ZERO, ZERO))
        return
    price = before.price if answer.price is None else answer.price
    quantity = before.quantity if answer.quantity is None else answer.quantity
    if answer.time_exchange_ns is not None and is_overtaken(before, price, quantity, answer.time_exchange_ns):
        return
    after = next_amended(before, AmendCause.ACCEPTED, price, quantity)
    if answer.id is not None and answer.time_exchange_ns is not None:
        after = with_venue_id(after, answer.id, answer.time_exchange_ns)
    _keep(orders, before, after)


def _keep(orders: Orders, before: Order, after: Order) -> None:
    """Store an order whose terms changed, unless nothing of it remains by them."""
    if after is before:
        return
    part = open_part(after.state)
    is_full = part is not None and part.filled_quantity >= after.quantity_largest()
    _store(orders, before.key.cid, before, None if is_full else after)


def _amended_by_snapshot(before: Order, after: Order, snapshot: Order) -> Order:
    """Return the order with what the venue's view says of an amend that is not answered; an older view says nothing."""
    theirs = open_part(snapshot.state)
    ours = open_part(before.state)
    if theirs is None or (ours is not None and theirs.time_exchange_ns < ours.time_exchange_ns):
        return after
    cause = seen_cause(before, snapshot.price, snapshot.quantity)
    return next_amended(after, cause, snapshot.price, snapshot.quantity)


def update_from_snapshot(orders: Orders, snapshot: Order, *, is_past: bool = False) -> None:
    """Take in the venue's view of an order; ``is_past`` says that our engine gave its id out before."""
    cid = snapshot.key.cid
    before = orders.get(cid)
    after = next_order(before, snapshot_cause(snapshot), snapshot, is_past=is_past)
    if before is not None and after is not None and before.amendment is not None:
        _keep(orders, before, _amended_by_snapshot(before, after, snapshot))
    else:
        _store(orders, cid, before, after)


def update_from_fill(orders: Orders, trade: Trade) -> None:
    """Count a fill for its order: it is live, and at least that much of it is filled.

    The time of the venue's view stays, so that a view made before the fill still counts where it says more.
    """
    before = filled_order(orders, trade)
    if before is None:
        return
    counted = before.with_fill(abs(trade.quantity))
    part = open_part(before.state)
    if part is None:
        part = Open(trade.order_id, trade.time_exchange_ns, counted.quantity_traded)
    after = next_order(counted, fill_cause(counted), counted.with_state(part))
    _store(orders, before.key.cid, before, after)


def filled_order(orders: Orders, trade: Trade) -> Order | None:
    """Return the active order that a fill is of: by our id, or by the venue's where the venue does not tell ours."""
    if trade.cid:
        return orders.get(trade.cid)
    for order in orders.values():
        part = open_part(order.state)
        if part is not None and part.id == trade.order_id:
            return order
    return None


def update_from_cancel_answer(orders: Orders, cid: ClientOrderId, error: OrderError | None) -> None:
    """Take in the answer to a cancel; none is an acceptance. A failure to reach the venue is no answer of the venue."""
    before = orders.get(cid)
    if error is None:
        cause = Cause.CANCEL_ACCEPTED
    else:
        cause = Cause.CANCEL_IN_DOUBT if error.kind.is_connectivity else Cause.CANCEL_REFUSED
    _store(orders, cid, before, next_order(before, cause, None))


def update_from_doubt(orders: Orders, cid: ClientOrderId, request: RequestKind) -> None:
    """Take in that no answer to a request will come."""
    before = orders.get(cid)
    if request is RequestKind.AMEND:
        if before is not None:
            _keep(orders, before, next_amended(before, AmendCause.IN_DOUBT, ZERO, ZERO))
        return
    cause = Cause.OPEN_IN_DOUBT if request is RequestKind.OPEN else Cause.CANCEL_IN_DOUBT
    _store(orders, cid, before, next_order(before, cause, None))


def update_from_never_received(orders: Orders, cid: ClientOrderId, request: RequestKind) -> None:
    """Take in that a request never reached the venue; a cancel or amend that did not is one without effect."""
    before = orders.get(cid)
    if request is RequestKind.AMEND:
        if before is not None:
            _keep(orders, before, next_amended(before, AmendCause.REFUSED, ZERO, ZERO))
        return
    cause = Cause.OPEN_NEVER_RECEIVED if request is RequestKind.OPEN else Cause.CANCEL_REFUSED
    _store(orders, cid, before, next_order(before, cause, None))


def doubt_all(orders: Orders) -> None:
    """Take in that nobody is left to answer: every request in flight is in doubt, and every order stays."""
    for cid in list(orders):
        update_from_doubt(orders, cid, RequestKind.OPEN)
        update_from_doubt(orders, cid, RequestKind.CANCEL)
        update_from_doubt(orders, cid, RequestKind.AMEND)
