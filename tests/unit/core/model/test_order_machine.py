"""The order machine: every pair of state and cause, what it leads to, and that illegal ones change nothing."""

import itertools
from pathlib import Path

import pytest

from tests.support.builders import opened, order_error, order_in
from tools.draw_state_machines import DOCUMENT, document, targets
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Open,
    OpenFailed,
    Order,
    OrderError,
    OrderErrorKind,
    OrderState,
)
from tradebus.core.model.order_machine import (
    TABLE,
    Cause,
    InvalidTransition,
    Move,
    Tracked,
    next_order,
    snapshot_cause,
    tracked_state,
)

OURS = opened(5, "0.2", "1")
OLDER, EQUAL, NEWER = opened(4, "0.1", "2"), opened(5, "0.3", "2"), opened(6, "0.4", "2")
ENDS: tuple[OrderState, ...] = (Cancelled(OrderId("1"), 9), FULLY_FILLED, OpenFailed(order_error()), EXPIRED)

TIMED_OUT = OpenFailed(OrderError(OrderErrorKind.TIMEOUT, "", "no answer within 2 s"))

TRACKED: dict[Tracked, tuple[Order | None, ...]] = {
    Tracked.UNTRACKED: (None,),
    Tracked.OPEN_IN_FLIGHT: (order_in(OPEN_IN_FLIGHT),),
    Tracked.OPEN_UNKNOWN: (order_in(OPEN_UNKNOWN),),
    Tracked.OPEN: (order_in(OURS),),
    Tracked.CANCEL_IN_FLIGHT: (order_in(CancelInFlight(None)), order_in(CancelInFlight(OURS))),
    Tracked.CANCEL_UNKNOWN: (order_in(CancelUnknown(None)), order_in(CancelUnknown(OURS))),
    Tracked.FINISHED: (None,),
}
# What comes in is worded otherwise than what we asked for, to see that only the state is taken from it.
INCOMING: dict[Cause, tuple[Order | None, ...]] = {
    Cause.REQUEST_OPEN: (order_in(OPEN_IN_FLIGHT, price=7),),
    Cause.REQUEST_CANCEL: (None,),
    Cause.SNAPSHOT_OPEN_IN_FLIGHT: (order_in(OPEN_IN_FLIGHT, price=7),),
    Cause.SNAPSHOT_OPEN_UNKNOWN: (order_in(OPEN_UNKNOWN, price=7),),
    Cause.SNAPSHOT_OPEN: tuple(order_in(part, price=7, quantity=3) for part in (OLDER, EQUAL, NEWER)),
    Cause.SNAPSHOT_OPEN_FULL: tuple(order_in(opened(time, 3), price=7, quantity=3) for time in (4, 5, 6)),
    Cause.SNAPSHOT_CANCEL_IN_FLIGHT: tuple(
        order_in(CancelInFlight(part), price=7) for part in (None, OLDER, EQUAL, NEWER)
    ),
    Cause.SNAPSHOT_CANCEL_UNKNOWN: tuple(
        order_in(CancelUnknown(part), price=7) for part in (None, OLDER, EQUAL, NEWER)
    ),
    Cause.SNAPSHOT_INACTIVE: tuple(order_in(end, price=7, quantity=0) for end in ENDS),
    Cause.OPEN_IN_DOUBT: (None, order_in(TIMED_OUT, price=7)),
    Cause.OPEN_NEVER_RECEIVED: (None,),
    Cause.CANCEL_ACCEPTED: (None,),
    Cause.CANCEL_REFUSED: (None,),
    Cause.CANCEL_IN_DOUBT: (None,),
    Cause.FILL: tuple(order_in(part, price=7) for part in (OLDER, EQUAL, NEWER)),
    Cause.FILL_FULL: (order_in(opened(5, 1), price=7),),
}
PAIRS = list(itertools.product(Tracked, Cause))


def part_of(order: Order | None) -> Open | None:
    if order is None:
        return None
    if isinstance(order.state, CancelInFlight | CancelUnknown):
        return order.state.order
    return order.state if isinstance(order.state, Open) else None


def newest(ours: Open | None, theirs: Open | None) -> Open | None:
    """The newer of two open parts; equal times count as newer."""
    both = [part for part in (ours, theirs) if part is not None]
    return max(enumerate(both), key=lambda item: (item[1].time_exchange_ns, item[0]))[1] if both else None


@pytest.mark.parametrize(("state", "cause"), PAIRS, ids=lambda member: member.name)
def test_every_pair_moves_as_the_table_says(state: Tracked, cause: Cause) -> None:
    assert (state, cause) in TABLE, "a pair without a row is a hole, not an impossibility"
    move = TABLE[state, cause]
    is_past = state is Tracked.FINISHED
    for tracked, incoming in itertools.product(TRACKED[state], INCOMING[cause]):
        assert tracked_state(tracked, is_past=is_past) is state
        after = next_order(tracked, cause, incoming, is_past=is_past)
        assert tracked_state(after, is_past=is_past) in targets(state, cause)
        if move is Move.IGNORE:
            assert after is tracked
        elif move is Move.INSERT:
            assert after is incoming
        elif move is Move.REMOVE:
            assert after is None
        elif move is Move.REMOVE_UNACKNOWLEDGED:
            assert after is (tracked if part_of(tracked) else None)
        else:
            assert tracked is not None
            assert after is not None
            assert after.with_state(tracked.state) == tracked, "only the state of a tracked order is replaced"
            if move is Move.RESTORE:
                assert after.state == (part_of(tracked) or OPEN_UNKNOWN)
            elif move is Move.TO_OPEN_UNKNOWN:
                assert after.state == OPEN_UNKNOWN
            elif move is Move.RESOLVE and newest(part_of(tracked), part_of(incoming)) is not part_of(incoming):
                assert after is tracked
            else:
                assert (move is not Move.RESOLVE) or isinstance(after.state, Open)
                assert part_of(after) == newest(part_of(tracked), part_of(incoming))


@pytest.mark.parametrize("state", [state for state in Tracked if TRACKED[state] != (None,)])
def test_no_doubt_ever_ends_an_order(state: Tracked) -> None:
    for cause in (Cause.OPEN_IN_DOUBT, Cause.CANCEL_IN_DOUBT, Cause.CANCEL_REFUSED):
        for tracked in TRACKED[state]:
            assert next_order(tracked, cause, None) is not None


@pytest.mark.parametrize("kind", list(OrderErrorKind))
def test_only_what_the_venue_said_ends_an_order(kind: OrderErrorKind) -> None:
    failed = order_in(OpenFailed(OrderError(kind, "", "")))
    after = next_order(order_in(OPEN_IN_FLIGHT), snapshot_cause(failed), failed)
    nobody_answered = kind in {OrderErrorKind.EXCHANGE_OFFLINE, OrderErrorKind.TIMEOUT, OrderErrorKind.SOCKET}
    assert (after is not None and after.state == OPEN_UNKNOWN) is nobody_answered
    assert (after is None) is not nobody_answered


@pytest.mark.parametrize("end", ENDS)
def test_a_finished_order_is_not_tracked(end: OrderState) -> None:
    with pytest.raises(InvalidTransition, match="c1"):
        tracked_state(order_in(end))
    for cause in Cause:
        with pytest.raises(InvalidTransition):
            next_order(order_in(end), cause, order_in(OPEN_IN_FLIGHT))


def test_an_order_in_a_state_of_no_kind_is_refused() -> None:
    with pytest.raises(InvalidTransition, match="OrderState"):
        tracked_state(order_in(OrderState()))
    with pytest.raises(InvalidTransition, match="OrderState"):
        snapshot_cause(order_in(OrderState()))


@pytest.mark.parametrize(
    ("state", "quantity", "cause"),
    [
        (OPEN_IN_FLIGHT, 1, Cause.SNAPSHOT_OPEN_IN_FLIGHT),
        (opened(1, 0), 1, Cause.SNAPSHOT_OPEN),
        (opened(1, "0.999"), 1, Cause.SNAPSHOT_OPEN),
        (opened(1, "1.0"), 1, Cause.SNAPSHOT_OPEN_FULL),
        (opened(1, 2), 1, Cause.SNAPSHOT_OPEN_FULL),
        (CancelInFlight(None), 1, Cause.SNAPSHOT_CANCEL_IN_FLIGHT),
        (CancelInFlight(opened(1, 1)), 1, Cause.SNAPSHOT_CANCEL_IN_FLIGHT),
        (OPEN_UNKNOWN, 1, Cause.SNAPSHOT_OPEN_UNKNOWN),
        (CancelUnknown(None), 1, Cause.SNAPSHOT_CANCEL_UNKNOWN),
        (TIMED_OUT, 1, Cause.OPEN_IN_DOUBT),
        *((end, 0, Cause.SNAPSHOT_INACTIVE) for end in ENDS),
    ],
)
def test_a_snapshot_is_judged_by_its_own_quantity(state: OrderState, quantity: int, cause: Cause) -> None:
    assert snapshot_cause(order_in(state, quantity=quantity)) is cause


def test_document_is_drawn_from_the_table() -> None:
    assert Path(DOCUMENT).read_text(encoding="utf-8") == document(), "run python tools/draw_state_machines.py"


def test_document_shows_every_pair() -> None:
    rows = [line for line in document().splitlines() if line.startswith("| ")]
    for cause in Cause:
        name = cause.name.lower().replace("_", " ")
        (row,) = [line for line in rows if line.startswith(f"| {name} |")]
        moves = [TABLE[state, cause].name.lower().replace("_", " ") for state in Tracked]
        assert [cell.strip() for cell in row.split("|")[2:-1]] == moves
