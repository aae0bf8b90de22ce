"""Run the vectors of tracked orders.

Besides the vectors there is the specification's own table (sections 5.1 to 5.3), written down here once more as a model
over plain values, with each of our marked corrections as a switch. Without corrections it must reproduce the vector;
with them it says what ours must be. A difference is accepted only where a correction came into play.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tradebus.core.engine.state.orders import (
    Orders,
    record_cancel,
    record_open,
    update_from_cancel_answer,
    update_from_snapshot,
)
from tradebus.core.model.account import Trade
from tradebus.core.model.order import (
    OPEN_UNKNOWN,
    CancelInFlight,
    CancelUnknown,
    Open,
    OpenFailed,
    OpenInFlight,
    OpenUnknown,
    Order,
    OrderError,
    OrderRequestOpen,
    OrderState,
    cancel_request,
    is_active,
    open_part,
    order_from_request,
    state_time_exchange_ns,
)

Model = dict[str, Order]


class Reference:
    """The order manager as specified; ``corrected`` switches our corrections on, ``rules`` notes which were used."""

    def __init__(self, tracked: list[Order], *, corrected: bool) -> None:
        self.orders: Model = {order.key.cid: order for order in tracked}
        self._corrected = corrected
        self.rules: list[str] = []

    def record_open(self, request: OrderRequestOpen) -> None:
        if request.key.cid in self.orders and self._corrected:
            self.rules.append("colliding-id-refused")
            return
        self.orders[request.key.cid] = order_from_request(request)

    def record_cancel(self, cid: str) -> None:
        tracked = self.orders.get(cid)
        if tracked is not None:
            self._move(tracked, CancelInFlight(open_part(tracked.state)))

    def snapshot(self, incoming: Order) -> None:
        tracked = self.orders.get(incoming.key.cid)
        state = incoming.state
        if self._corrected and isinstance(state, OpenFailed) and state.error.kind.is_connectivity:
            self._open_timed_out(tracked)
        elif not is_active(state):
            self.orders.pop(incoming.key.cid, None)
        elif self._corrected and _nothing_remains(incoming):
            self.rules.append("full-order-leaves")
            self.orders.pop(incoming.key.cid, None)
        elif tracked is None:
            if not _is_full(incoming):
                self.orders[incoming.key.cid] = incoming
        else:
            self._snapshot_of_tracked(tracked, incoming)

    def _snapshot_of_tracked(self, tracked: Order, incoming: Order) -> None:
        ours, theirs = tracked.state, incoming.state
        if isinstance(theirs, OpenInFlight):
            return
        if isinstance(ours, OpenInFlight | OpenUnknown):
            if _is_full(incoming):
                del self.orders[incoming.key.cid]
            else:
                self._move(tracked, theirs)
            return
        newest = _newest(open_part(ours), open_part(theirs))
        if isinstance(ours, Open):
            assert newest is not None
            self._move(tracked, newest if isinstance(theirs, Open) else CancelInFlight(newest))
        elif isinstance(ours, CancelUnknown):
            if isinstance(theirs, CancelInFlight):
                self._move(tracked, CancelInFlight(newest))
            elif newest is open_part(theirs):
                self._move(tracked, theirs)
        elif isinstance(theirs, Open):
            self._move(tracked, CancelInFlight(newest))

    def _open_timed_out(self, tracked: Order | None) -> None:
        """Keep what may be live; an acknowledged order is not touched by a request's fate."""
        if tracked is not None:
            self.rules.append("timeout-keeps")
            if isinstance(tracked.state, OpenInFlight):
                self._move(tracked, OPEN_UNKNOWN)

    def cancel_answer(self, cid: str, error: OrderError | None) -> None:
        tracked = self.orders.get(cid)
        if tracked is None:
            return
        if error is None:
            del self.orders[cid]
        elif not isinstance(tracked.state, CancelInFlight | CancelUnknown):
            return
        elif self._corrected and error.kind.is_connectivity:
            self.rules.append("timeout-keeps")
            self._move(tracked, CancelUnknown(tracked.state.order))
        else:
            part = tracked.state.order
            if part is not None:
                self._move(tracked, part)
            elif self._corrected:
                self.rules.append("refused-cancel-keeps")
                self._move(tracked, OPEN_UNKNOWN)
            else:
                del self.orders[cid]

    def fill(self, trade: Trade) -> None:
        """Count a fill for its order, which the reference does not; ours knows it by the venue's id too."""
        found = [
            order
            for order in self.orders.values()
            if (order.key.cid == trade.cid if trade.cid else _venue_id(order) == trade.order_id)
        ]
        if not self._corrected or not found:
            return
        self.rules.append("fills-count")
        (order,) = (each.with_fill(abs(trade.quantity)) for each in found)
        part = open_part(order.state) or Open(trade.order_id, trade.time_exchange_ns, Decimal(0))
        if max(part.filled_quantity, order.quantity_traded) >= order.quantity:
            del self.orders[order.key.cid]
        elif isinstance(order.state, CancelInFlight | CancelUnknown):
            self._move(order, type(order.state)(part))
        else:
            self._move(order, part)

    def _move(self, tracked: Order, state: OrderState) -> None:
        part = open_part(state)
        if part is not None and part.filled_quantity < tracked.quantity_traded:
            part = Open(part.id, part.time_exchange_ns, tracked.quantity_traded)
            state = part if isinstance(state, Open) else type(state)(part)  # type: ignore[call-arg]
        self.orders[tracked.key.cid] = tracked.with_state(state)


def _venue_id(order: Order) -> str | None:
    part = open_part(order.state)
    return None if part is None else part.id


def _is_full(order: Order) -> bool:
    return isinstance(order.state, Open) and order.quantity == order.state.filled_quantity


def _nothing_remains(order: Order) -> bool:
    return isinstance(order.state, Open) and order.quantity <= order.state.filled_quantity


def _newest(ours: Open | None, theirs: Open | None) -> Open | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return theirs if ours.time_exchange_ns <= theirs.time_exchange_ns else ours


class Tracker:
    """Ours, the reference and the corrected reference side by side."""

    def __init__(self, check: Check, tracked: list[dict[str, Any]]) -> None:
        orders = [reading.order(order) for order in tracked]
        self._check = check
        self._ours: Orders = {order.key.cid: order for order in orders}
        self._reference = Reference(orders, corrected=False)
        self._corrected = Reference(orders, corrected=True)

    def apply(self, step: dict[str, Any], kind: str) -> None:
        """Let one thing happen to all three."""
        models = (self._reference, self._corrected)
        if kind == "record_in_flight_open":
            request = reading.open_request(step["request"])
            record_open(self._ours, request)
            for model in models:
                model.record_open(request)
        elif kind == "record_in_flight_cancel":
            cancel = reading.cancel_request(step["request"])
            record_cancel(self._ours, cancel)
            for model in models:
                model.record_cancel(cancel.key.cid)
        elif kind == "snapshot":
            snapshot = reading.order(step["snapshot"])
            update_from_snapshot(self._ours, snapshot)
            for model in models:
                model.snapshot(snapshot)
        else:
            assert kind == "cancel_response", f"unknown step {kind}"
            cid, result = step["response"]["key"]["cid"], step["response"]["result"]
            error = None if "ok" in result else reading.order_error(result["err"])
            update_from_cancel_answer(self._ours, cid, error)
            for model in models:
                model.cancel_answer(cid, error)

    def compare(self, what: str, expected: list[dict[str, Any]]) -> None:
        """Compare with the vector; where a correction came into play, with the corrected model."""
        wanted = {order["key"]["cid"]: reading.order(order) for order in expected}
        self._check.equal(f"{what}: the specification's table itself", self._reference.orders, wanted)
        if self._ours == wanted:
            self._check.equal(what, self._corrected.orders, wanted)
            return
        assert self._corrected.rules, f"{what}: the reference has {wanted}, ours {self._ours}"
        for rule in self._corrected.rules:
            self._check.differs(rule, what, self._ours, self._corrected.orders)


def _run_one(kind: str) -> Callable[[Case, Check], None]:
    def run(case: Case, check: Check) -> None:
        tracker = Tracker(check, case.data["tracked"])
        for step in [{"request": request} for request in case.data.get("requests", ())] or [case.data]:
            tracker.apply(step, kind)
        tracker.compare("tracked", case.data["expected"])

    return run


def run_lifecycle(case: Case, check: Check) -> None:
    """Let several things happen in a row."""
    tracker = Tracker(check, case.data.get("tracked", []))
    for i, step in enumerate(case.data["steps"]):
        tracker.apply(step, step["op"])
        tracker.compare(f"steps[{i}]", step["expected"])


def run_to_request_cancel(case: Case, check: Check) -> None:
    """Make a cancel request of an order."""
    expected = case.data["expected"]
    wanted = None if expected is None else reading.cancel_request(expected)
    check.equal("request", cancel_request(reading.order(case.data["order"])), wanted)


def run_time_exchange(case: Case, check: Check) -> None:
    """Read the venue's time of a state."""
    expected = case.data["expected"]
    wanted = None if expected is None else reading.time_ns(expected)
    check.equal("time", state_time_exchange_ns(reading.order_state(case.data["state"])), wanted)


FILE = "engine/orders.json"
RUNNERS = {
    (FILE, "order_snapshot"): _run_one("snapshot"),
    (FILE, "cancel_response"): _run_one("cancel_response"),
    (FILE, "record_in_flight_cancel"): _run_one("record_in_flight_cancel"),
    (FILE, "record_in_flight_open"): _run_one("record_in_flight_open"),
    (FILE, "to_request_cancel"): run_to_request_cancel,
    (FILE, "order_state_time_exchange"): run_time_exchange,
    (FILE, "lifecycle"): run_lifecycle,
}
