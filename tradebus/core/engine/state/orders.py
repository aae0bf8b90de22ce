"""Keep the active orders of one instrument, by client order id; finished ones leave.

The moves stand in ``model.order_machine``.
"""

from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    Order,
    OrderError,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
    order_from_request,
)
from tradebus.core.model.order_machine import Cause, next_order, snapshot_cause

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


def update_from_snapshot(orders: Orders, snapshot: Order) -> None:
    """Take in the venue's view of an order."""
    cid = snapshot.key.cid
    before = orders.get(cid)
    _store(orders, cid, before, next_order(before, snapshot_cause(snapshot), snapshot))


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
    cause = Cause.OPEN_IN_DOUBT if request is RequestKind.OPEN else Cause.CANCEL_IN_DOUBT
    _store(orders, cid, before, next_order(before, cause, None))


def update_from_never_received(orders: Orders, cid: ClientOrderId, request: RequestKind) -> None:
    """Take in that a request never reached the venue; a cancel that did not is one without effect."""
    before = orders.get(cid)
    cause = Cause.OPEN_NEVER_RECEIVED if request is RequestKind.OPEN else Cause.CANCEL_REFUSED
    _store(orders, cid, before, next_order(before, cause, None))


def doubt_all(orders: Orders) -> None:
    """Take in that nobody is left to answer: every request in flight is in doubt, and every order stays."""
    for cid in list(orders):
        update_from_doubt(orders, cid, RequestKind.OPEN)
        update_from_doubt(orders, cid, RequestKind.CANCEL)
