"""Move orders between states: one literal table, and the data that each move keeps.

States (what each promises)
    untracked           we hold no such order and do not know its id: never sent, or not ours
    finished            ours and over: its id was given out before, and no active order has it
    open in flight      the request has left; the venue has not answered
    open unknown        the request has left, and no answer will come: whether the order lives is not known
    open                the venue acknowledged it: it has the venue's id
    cancel in flight    a cancel has left; the order may still fill until the answer
    cancel unknown      a cancel has left, and no answer will come: the order may be live or gone

All but the first two count as live, against limits and exposure. An unknown one ends by what the venue is found
to say, never by time passing or by a link's end: a timeout is not a rejection.

Causes: our own requests (engine), order snapshots (the venue's view, also the answer to an open request), fills,
answers to cancels, and what the account's owner says of a request without an answer: in doubt, or never received.
Surprising rows carry the reason. A pair that is not in the table cannot happen and raises.

Source: barter 0.12.5 ``engine/state/order``; changed where the reference is marked defective: a full order leaves
the book in every state, a refused cancel of an unacknowledged order keeps the order, a colliding id is refused,
a timeout does not end an order, fills count, and what is over is not opened again by a late report.
"""

from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr

from tradebus.core.model.number import ZERO
from tradebus.core.model.order import (
    OPEN_UNKNOWN,
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
    open_part,
)


class Tracked(Enum):
    """The state an order is tracked in."""

    UNTRACKED = 1
    OPEN_IN_FLIGHT = 2
    OPEN_UNKNOWN = 3
    OPEN = 4
    CANCEL_IN_FLIGHT = 5
    CANCEL_UNKNOWN = 6
    FINISHED = 7


class Cause(Enum):
    """What happens to an order."""

    REQUEST_OPEN = 1
    REQUEST_CANCEL = 2
    SNAPSHOT_OPEN_IN_FLIGHT = 3
    SNAPSHOT_OPEN_UNKNOWN = 4
    SNAPSHOT_OPEN = 5
    SNAPSHOT_OPEN_FULL = 6
    SNAPSHOT_CANCEL_IN_FLIGHT = 7
    SNAPSHOT_CANCEL_UNKNOWN = 8
    SNAPSHOT_INACTIVE = 9
    OPEN_IN_DOUBT = 10
    OPEN_NEVER_RECEIVED = 11
    CANCEL_ACCEPTED = 12
    CANCEL_REFUSED = 13
    CANCEL_IN_DOUBT = 14
    FILL = 15
    FILL_FULL = 16


class Move(Enum):
    """What becomes of the order."""

    IGNORE = 1  # nothing changes
    INSERT = 2  # track the incoming order as given
    REMOVE = 3  # the order is finished
    REMOVE_UNACKNOWLEDGED = 4  # the order never was, unless the venue has acknowledged it
    TO_OPEN = 5  # the incoming open part replaces ours, unless it is older
    TO_OPEN_UNKNOWN = 6  # no answer will come
    TO_CANCEL_IN_FLIGHT = 7  # keep the newer open part under a cancel in flight
    TO_CANCEL_UNKNOWN = 8  # keep the newer open part under a cancel of which no answer will come
    RESOLVE = 9  # found open after all, unless what was found is older than what we know
    RESTORE = 10  # the cancel failed: back to what stands under it


@mypyc_attr(native_class=False)
class InvalidTransition(ValueError):
    """A cause that the order's state does not allow; nothing was changed."""


T: Final = Tracked
C: Final = Cause

TABLE: Final[dict[tuple[Tracked, Cause], Move]] = {
    (T.UNTRACKED, C.REQUEST_OPEN): Move.INSERT,
    (T.UNTRACKED, C.REQUEST_CANCEL): Move.IGNORE,  # finished while the cancel was being decided
    (T.UNTRACKED, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.INSERT,
    (T.UNTRACKED, C.SNAPSHOT_OPEN_UNKNOWN): Move.INSERT,
    (T.UNTRACKED, C.SNAPSHOT_OPEN): Move.INSERT,  # placed by hand, or found after a restart
    (T.UNTRACKED, C.SNAPSHOT_OPEN_FULL): Move.IGNORE,
    (T.UNTRACKED, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.INSERT,
    (T.UNTRACKED, C.SNAPSHOT_CANCEL_UNKNOWN): Move.INSERT,
    (T.UNTRACKED, C.SNAPSHOT_INACTIVE): Move.IGNORE,  # duplicate report of an end
    (T.UNTRACKED, C.OPEN_IN_DOUBT): Move.IGNORE,
    (T.UNTRACKED, C.OPEN_NEVER_RECEIVED): Move.IGNORE,
    (T.UNTRACKED, C.CANCEL_ACCEPTED): Move.IGNORE,  # the fill was faster
    (T.UNTRACKED, C.CANCEL_REFUSED): Move.IGNORE,
    (T.UNTRACKED, C.CANCEL_IN_DOUBT): Move.IGNORE,
    (T.UNTRACKED, C.FILL): Move.IGNORE,  # nothing is left to track; the position counts it
    (T.UNTRACKED, C.FILL_FULL): Move.IGNORE,
    (T.OPEN_IN_FLIGHT, C.REQUEST_OPEN): Move.IGNORE,  # colliding id: the first order stays
    (T.OPEN_IN_FLIGHT, C.REQUEST_CANCEL): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_OPEN_UNKNOWN): Move.TO_OPEN_UNKNOWN,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_OPEN): Move.TO_OPEN,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_OPEN_FULL): Move.REMOVE,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_CANCEL_UNKNOWN): Move.TO_CANCEL_UNKNOWN,
    (T.OPEN_IN_FLIGHT, C.SNAPSHOT_INACTIVE): Move.REMOVE,
    (T.OPEN_IN_FLIGHT, C.OPEN_IN_DOUBT): Move.TO_OPEN_UNKNOWN,
    (T.OPEN_IN_FLIGHT, C.OPEN_NEVER_RECEIVED): Move.REMOVE,
    (T.OPEN_IN_FLIGHT, C.CANCEL_ACCEPTED): Move.REMOVE,  # cancelled by hand before our cancel left
    (T.OPEN_IN_FLIGHT, C.CANCEL_REFUSED): Move.IGNORE,
    (T.OPEN_IN_FLIGHT, C.CANCEL_IN_DOUBT): Move.IGNORE,  # not our cancel
    (T.OPEN_IN_FLIGHT, C.FILL): Move.TO_OPEN,  # faster than the acknowledgement
    (T.OPEN_IN_FLIGHT, C.FILL_FULL): Move.REMOVE,
    (T.OPEN_UNKNOWN, C.REQUEST_OPEN): Move.IGNORE,  # never sent again under the same id
    (T.OPEN_UNKNOWN, C.REQUEST_CANCEL): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN_UNKNOWN, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,  # late echo of our own request
    (T.OPEN_UNKNOWN, C.SNAPSHOT_OPEN_UNKNOWN): Move.IGNORE,
    (T.OPEN_UNKNOWN, C.SNAPSHOT_OPEN): Move.TO_OPEN,  # the answer came late, or a query found it
    (T.OPEN_UNKNOWN, C.SNAPSHOT_OPEN_FULL): Move.REMOVE,
    (T.OPEN_UNKNOWN, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN_UNKNOWN, C.SNAPSHOT_CANCEL_UNKNOWN): Move.TO_CANCEL_UNKNOWN,
    (T.OPEN_UNKNOWN, C.SNAPSHOT_INACTIVE): Move.REMOVE,
    (T.OPEN_UNKNOWN, C.OPEN_IN_DOUBT): Move.IGNORE,  # however often nobody answers
    (T.OPEN_UNKNOWN, C.OPEN_NEVER_RECEIVED): Move.REMOVE,
    (T.OPEN_UNKNOWN, C.CANCEL_ACCEPTED): Move.REMOVE,
    (T.OPEN_UNKNOWN, C.CANCEL_REFUSED): Move.IGNORE,
    (T.OPEN_UNKNOWN, C.CANCEL_IN_DOUBT): Move.IGNORE,
    (T.OPEN_UNKNOWN, C.FILL): Move.TO_OPEN,  # what fills is live
    (T.OPEN_UNKNOWN, C.FILL_FULL): Move.REMOVE,
    (T.OPEN, C.REQUEST_OPEN): Move.IGNORE,
    (T.OPEN, C.REQUEST_CANCEL): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,  # late echo of our own request
    (T.OPEN, C.SNAPSHOT_OPEN_UNKNOWN): Move.IGNORE,  # who said so knew less
    (T.OPEN, C.SNAPSHOT_OPEN): Move.TO_OPEN,
    (T.OPEN, C.SNAPSHOT_OPEN_FULL): Move.REMOVE,
    (T.OPEN, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.TO_CANCEL_IN_FLIGHT,
    (T.OPEN, C.SNAPSHOT_CANCEL_UNKNOWN): Move.TO_CANCEL_UNKNOWN,
    (T.OPEN, C.SNAPSHOT_INACTIVE): Move.REMOVE,
    (T.OPEN, C.OPEN_IN_DOUBT): Move.IGNORE,  # the stream was faster than the answer that timed out
    (T.OPEN, C.OPEN_NEVER_RECEIVED): Move.IGNORE,  # the venue has acknowledged it
    (T.OPEN, C.CANCEL_ACCEPTED): Move.REMOVE,
    (T.OPEN, C.CANCEL_REFUSED): Move.IGNORE,
    (T.OPEN, C.CANCEL_IN_DOUBT): Move.IGNORE,
    (T.OPEN, C.FILL): Move.TO_OPEN,
    (T.OPEN, C.FILL_FULL): Move.REMOVE,
    (T.CANCEL_IN_FLIGHT, C.REQUEST_OPEN): Move.IGNORE,
    (T.CANCEL_IN_FLIGHT, C.REQUEST_CANCEL): Move.IGNORE,  # already asked
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_OPEN_UNKNOWN): Move.IGNORE,  # the cancel's answer will tell
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_OPEN): Move.TO_CANCEL_IN_FLIGHT,  # acknowledgement or fill overtook the cancel
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_OPEN_FULL): Move.REMOVE,
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.IGNORE,
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_CANCEL_UNKNOWN): Move.TO_CANCEL_UNKNOWN,
    (T.CANCEL_IN_FLIGHT, C.SNAPSHOT_INACTIVE): Move.REMOVE,
    (T.CANCEL_IN_FLIGHT, C.OPEN_IN_DOUBT): Move.IGNORE,  # the cancel's answer will tell
    (T.CANCEL_IN_FLIGHT, C.OPEN_NEVER_RECEIVED): Move.REMOVE_UNACKNOWLEDGED,
    (T.CANCEL_IN_FLIGHT, C.CANCEL_ACCEPTED): Move.REMOVE,
    (T.CANCEL_IN_FLIGHT, C.CANCEL_REFUSED): Move.RESTORE,  # may still be live: never dropped
    (T.CANCEL_IN_FLIGHT, C.CANCEL_IN_DOUBT): Move.TO_CANCEL_UNKNOWN,
    (T.CANCEL_IN_FLIGHT, C.FILL): Move.TO_CANCEL_IN_FLIGHT,
    (T.CANCEL_IN_FLIGHT, C.FILL_FULL): Move.REMOVE,
    (T.CANCEL_UNKNOWN, C.REQUEST_OPEN): Move.IGNORE,
    (T.CANCEL_UNKNOWN, C.REQUEST_CANCEL): Move.TO_CANCEL_IN_FLIGHT,  # cancelling twice harms nothing
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_OPEN_UNKNOWN): Move.IGNORE,
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_OPEN): Move.RESOLVE,  # if the cancel lands after all, its end is reported
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_OPEN_FULL): Move.REMOVE,
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.TO_CANCEL_IN_FLIGHT,
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_CANCEL_UNKNOWN): Move.TO_CANCEL_UNKNOWN,
    (T.CANCEL_UNKNOWN, C.SNAPSHOT_INACTIVE): Move.REMOVE,
    (T.CANCEL_UNKNOWN, C.OPEN_IN_DOUBT): Move.IGNORE,
    (T.CANCEL_UNKNOWN, C.OPEN_NEVER_RECEIVED): Move.REMOVE_UNACKNOWLEDGED,
    (T.CANCEL_UNKNOWN, C.CANCEL_ACCEPTED): Move.REMOVE,
    (T.CANCEL_UNKNOWN, C.CANCEL_REFUSED): Move.RESTORE,
    (T.CANCEL_UNKNOWN, C.CANCEL_IN_DOUBT): Move.IGNORE,  # however often nobody answers
    (T.CANCEL_UNKNOWN, C.FILL): Move.TO_CANCEL_UNKNOWN,  # it says nothing of the cancel
    (T.CANCEL_UNKNOWN, C.FILL_FULL): Move.REMOVE,
    (T.FINISHED, C.REQUEST_OPEN): Move.IGNORE,  # an id is sent at most once
    (T.FINISHED, C.REQUEST_CANCEL): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_OPEN_IN_FLIGHT): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_OPEN_UNKNOWN): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_OPEN): Move.IGNORE,  # an answer that was overtaken by the end
    (T.FINISHED, C.SNAPSHOT_OPEN_FULL): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_CANCEL_IN_FLIGHT): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_CANCEL_UNKNOWN): Move.IGNORE,
    (T.FINISHED, C.SNAPSHOT_INACTIVE): Move.IGNORE,
    (T.FINISHED, C.OPEN_IN_DOUBT): Move.IGNORE,
    (T.FINISHED, C.OPEN_NEVER_RECEIVED): Move.IGNORE,
    (T.FINISHED, C.CANCEL_ACCEPTED): Move.IGNORE,
    (T.FINISHED, C.CANCEL_REFUSED): Move.IGNORE,
    (T.FINISHED, C.CANCEL_IN_DOUBT): Move.IGNORE,
    (T.FINISHED, C.FILL): Move.IGNORE,  # a fill and the cancel crossed; the position counts it
    (T.FINISHED, C.FILL_FULL): Move.IGNORE,
}


def tracked_state(order: Order | None, *, is_past: bool = False) -> Tracked:
    """Return the row of the table that a tracked order stands in; none is untracked, or finished where its id is past.

    Raises InvalidTransition for an order in a terminal state, which is never tracked.
    """
    if order is None:
        return Tracked.FINISHED if is_past else Tracked.UNTRACKED
    state = order.state
    if isinstance(state, Open):
        return Tracked.OPEN
    if isinstance(state, OpenInFlight):
        return Tracked.OPEN_IN_FLIGHT
    if isinstance(state, CancelInFlight):
        return Tracked.CANCEL_IN_FLIGHT
    if isinstance(state, OpenUnknown):
        return Tracked.OPEN_UNKNOWN
    if isinstance(state, CancelUnknown):
        return Tracked.CANCEL_UNKNOWN
    raise InvalidTransition(f"order {order.key.cid}: a finished order is not tracked, found {type(state).__name__}")


def snapshot_cause(snapshot: Order) -> Cause:
    """Return the column of the table for a venue's view of an order.

    Full is judged by the snapshot's own quantity. A failure to reach the venue is not the venue's view.
    """
    state = snapshot.state
    if isinstance(state, Open):
        full = state.filled_quantity >= snapshot.quantity
        return Cause.SNAPSHOT_OPEN_FULL if full else Cause.SNAPSHOT_OPEN
    if isinstance(state, OpenInFlight):
        return Cause.SNAPSHOT_OPEN_IN_FLIGHT
    if isinstance(state, CancelInFlight):
        return Cause.SNAPSHOT_CANCEL_IN_FLIGHT
    if isinstance(state, OpenFailed):
        return Cause.OPEN_IN_DOUBT if state.error.kind.is_connectivity else Cause.SNAPSHOT_INACTIVE
    if isinstance(state, OpenUnknown):
        return Cause.SNAPSHOT_OPEN_UNKNOWN
    if isinstance(state, CancelUnknown):
        return Cause.SNAPSHOT_CANCEL_UNKNOWN
    if isinstance(state, (Cancelled, FullyFilled, Expired)):
        return Cause.SNAPSHOT_INACTIVE
    raise InvalidTransition(f"order {snapshot.key.cid}: unknown state {type(state).__name__}")


def _newer(ours: Open | None, theirs: Open | None) -> Open | None:
    if theirs is None:
        return ours
    if ours is None or ours.time_exchange_ns <= theirs.time_exchange_ns:
        return theirs
    return ours


def fill_cause(order: Order) -> Cause:
    """Return the column of the table for a fill, by the order with the fill counted."""
    part = open_part(order.state)
    told = ZERO if part is None else part.filled_quantity
    return Cause.FILL_FULL if max(told, order.quantity_traded) >= order.quantity_largest() else Cause.FILL


def next_order(tracked: Order | None, cause: Cause, incoming: Order | None, *, is_past: bool = False) -> Order | None:
    """Return the order after a cause, none if it is no longer tracked.

    ``incoming`` is the snapshot, the order with a fill, or the new order; none for cancels and their answers. Only the
    state of a tracked order is replaced: side, price, quantity, kind and time in force stay as we asked. Equal times
    count as newer; what is filled is never less than its fills. ``is_past``: our engine gave the id out before.

    Raises InvalidTransition, changing nothing, for a pair that the table does not hold.
    """
    state_before = tracked_state(tracked, is_past=is_past)
    move = TABLE.get((state_before, cause))
    if move is None:
        raise InvalidTransition(f"order {tracked.key.cid if tracked else '?'}: {cause.name} in {state_before.name}")
    if move is Move.IGNORE:
        return tracked
    if move is Move.INSERT:
        return incoming
    if move is Move.REMOVE or tracked is None:
        return None
    ours = open_part(tracked.state)
    theirs = None if incoming is None else open_part(incoming.state)
    newest = _newer(ours, theirs)
    is_theirs = newest is theirs
    if newest is not None and newest.filled_quantity < tracked.quantity_traded:
        newest = Open(newest.id, newest.time_exchange_ns, tracked.quantity_traded)
    state: OrderState
    if move is Move.REMOVE_UNACKNOWLEDGED:
        return tracked if ours is not None else None
    if move is Move.RESTORE:
        # What was never acknowledged, and cannot be cancelled, may still arrive, or have come and gone.
        state = OPEN_UNKNOWN if ours is None else ours
    elif move is Move.TO_OPEN_UNKNOWN:
        state = OPEN_UNKNOWN
    elif move is Move.TO_CANCEL_IN_FLIGHT:
        state = CancelInFlight(newest)
    elif move is Move.TO_CANCEL_UNKNOWN:
        state = CancelUnknown(newest)
    elif newest is not None and (move is Move.TO_OPEN or is_theirs):
        state = newest
    else:
        return tracked
    return tracked if state == tracked.state else tracked.with_state(state)
