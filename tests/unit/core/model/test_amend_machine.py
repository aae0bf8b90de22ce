"""The machine of amends: every pair of what is asked for and cause, and what it leaves of the order."""

import itertools
from decimal import Decimal

import pytest

from tests.support.builders import opened, order_in
from tools.draw_state_machines import amend_target, document
from tradebus.core.model.amend_machine import (
    AMEND_TABLE,
    AmendCause,
    Amending,
    AmendMove,
    amending,
    next_amended,
    seen_cause,
    with_venue_id,
)
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.order import OPEN_IN_FLIGHT, Amendment, CancelInFlight, CancelUnknown, Order

ORDER = order_in(opened(5, "0.25"), price=100, quantity=2).with_fill(Decimal("0.25"))
ASKED = (Decimal(101), Decimal(3))
OTHERS = (Decimal(99), Decimal(1))
STANDING: dict[Amending, Order] = {
    Amending.NONE: ORDER,
    Amending.IN_FLIGHT: ORDER.with_terms(ORDER.price, ORDER.quantity, Amendment(*ASKED, is_unknown=False)),
    Amending.UNKNOWN: ORDER.with_terms(ORDER.price, ORDER.quantity, Amendment(*ASKED, is_unknown=True)),
}


@pytest.mark.parametrize(
    ("state", "cause"), list(itertools.product(Amending, AmendCause)), ids=lambda member: member.name
)
def test_every_pair_moves_as_the_table_says(state: Amending, cause: AmendCause) -> None:
    assert (state, cause) in AMEND_TABLE, "a pair without a row is a hole, not an impossibility"
    order, move = STANDING[state], AMEND_TABLE[state, cause]
    assert amending(order) is state
    after = next_amended(order, cause, *OTHERS)
    assert amending(after) is amend_target(state, cause)
    stands = (after.price, after.quantity)
    if move is AmendMove.IGNORE:
        assert after is order
    elif move is AmendMove.ASK:
        assert after.amendment == Amendment(*OTHERS, is_unknown=False)
        assert stands == (order.price, order.quantity)
    elif move is AmendMove.TAKE:
        assert stands == OTHERS
    elif move is AmendMove.DROP:
        assert stands == (order.price, order.quantity)
    else:
        assert after.amendment == Amendment(*ASKED, is_unknown=True)
    untouched = after.with_terms(order.price, order.quantity, order.amendment)
    assert untouched == order, "state, side, kind and fills stay"


def test_a_view_shows_what_was_asked_for_or_something_else() -> None:
    for state in (Amending.IN_FLIGHT, Amending.UNKNOWN):
        assert seen_cause(STANDING[state], *ASKED) is AmendCause.SEEN_AS_ASKED
        assert seen_cause(STANDING[state], ASKED[0], OTHERS[1]) is AmendCause.SEEN_OTHERWISE
    assert seen_cause(ORDER, *ASKED) is AmendCause.SEEN_OTHERWISE


def test_what_may_still_fill_is_the_larger_of_both() -> None:
    smaller = ORDER.with_terms(ORDER.price, ORDER.quantity, Amendment(ORDER.price, Decimal(1), is_unknown=False))
    assert STANDING[Amending.IN_FLIGHT].quantity_remaining() == Decimal("2.75")
    assert smaller.quantity_remaining() == ORDER.quantity_remaining() == Decimal("1.75")


def test_a_venue_may_give_an_amended_order_another_id() -> None:
    part = opened(5, "0.25")
    for state, wanted in (
        (part, opened(7, "0.25", "2")),
        (CancelInFlight(part), CancelInFlight(opened(7, "0.25", "2"))),
        (CancelUnknown(part), CancelUnknown(opened(7, "0.25", "2"))),
        (OPEN_IN_FLIGHT, OPEN_IN_FLIGHT),
    ):
        assert with_venue_id(order_in(state), OrderId("2"), 7).state == wanted
    earlier = with_venue_id(order_in(part), OrderId("2"), 3).state
    assert earlier == opened(5, "0.25", "2"), "time does not go back"


def test_document_shows_every_pair() -> None:
    rows = [line for line in document().split("## Amends")[1].splitlines() if line.startswith("| ")]
    for cause in AmendCause:
        (row,) = [line for line in rows if line.startswith(f"| {cause.name.lower().replace('_', ' ')} |")]
        moves = [AMEND_TABLE[state, cause].name.lower() for state in Amending]
        assert [cell.strip() for cell in row.split("|")[2:-1]] == moves
