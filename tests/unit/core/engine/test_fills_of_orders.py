"""Fills count for their orders, each once, and orders that are over stay over."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    BTC,
    account_event,
    cancel_answered,
    cancel_of,
    command_of,
    fill,
    filled,
    in_doubt,
    open_request,
    opened,
    order_error,
    order_in,
    order_told,
    public_trade,
)
from tests.support.scenario import Followed, Scripted, answer_once, decided, follow
from tradebus.core.engine.command import SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import SnapshotReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.fills import FILLS_MAX
from tradebus.core.model.account import AccountSnapshot, Trade
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    CancelInFlight,
    CancelUnknown,
    OpenFailed,
    Order,
    OrderErrorKind,
    OrderState,
    RequestKind,
)
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

CANCEL = command_of(SendCancelRequests((cancel_of(),)), "2")
OURS = ClientOrderId("teste1s1n0")


def order_of(followed: Followed, cid: str = "c1") -> Order | None:
    return followed.engine.state.instruments[BTC].orders.get(ClientOrderId(cid))


def held(followed: Followed) -> Decimal:
    position = followed.engine.state.instruments[BTC].position
    return Decimal(0) if position is None else position.quantity_abs


def after(*events: EngineEvent, cid: str = "c1") -> Followed:
    """Return an engine that sent an order for 4, after these events."""
    followed = follow()
    followed.process(command_of(SendOpenRequests((open_request(cid, quantity=4),))))
    for event in events:
        followed.process(event)
    return followed


def part(quantity: int, time_ns: int = 5) -> Trade:
    return fill(quantity=quantity, time_ns=time_ns)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((filled(part(1)),), opened(5, 1)),
        ((in_doubt(), filled(part(1))), opened(5, 1)),
        ((order_told(order_in(opened(3, 0), quantity=4)), filled(part(1))), opened(3, 1)),
        ((CANCEL, filled(part(1))), CancelInFlight(opened(5, 1))),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), filled(part(1))), CancelUnknown(opened(5, 1))),
    ],
)
def test_a_fill_says_that_its_order_lives_and_how_much_is_filled(
    events: tuple[EngineEvent, ...], state: OrderState
) -> None:
    order = order_of(after(*events))
    assert order is not None
    assert (order.state, order.quantity_traded, order.quantity_remaining()) == (state, Decimal(1), Decimal(3))


@pytest.mark.parametrize(
    ("events", "quantity"),
    [
        ((filled(part(1)), order_told(order_in(opened(6, 1), quantity=4))), 1),  # view and fill say the same
        ((order_told(order_in(opened(6, 1), quantity=4)), filled(part(1))), 1),  # the other way round
        ((filled(part(1)), filled(part(2)), order_told(order_in(opened(9, 1), quantity=4))), 3),  # the view lags
        ((order_told(order_in(opened(6, 3), quantity=4)), filled(part(1))), 3),  # the fills lag
        ((filled(part(1)), order_told(order_in(opened(1, 0), quantity=4))), 1),  # an older view
    ],
)
def test_filled_is_what_fills_or_the_view_say_whichever_is_more(events: tuple[EngineEvent, ...], quantity: int) -> None:
    order = order_of(after(*events))
    assert order is not None
    assert order.state.filled_quantity == quantity  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "events",
    [
        (filled(part(4)),),
        (filled(part(1)), filled(part(3))),
        (in_doubt(), filled(part(5))),
        (order_told(order_in(opened(6, 1), quantity=4)), filled(part(1)), filled(part(3))),
        (CANCEL, filled(part(4))),
        (CANCEL, in_doubt(request=RequestKind.CANCEL), filled(part(4))),
    ],
)
def test_an_order_that_is_full_by_its_fills_leaves_before_the_venue_says_so(events: tuple[EngineEvent, ...]) -> None:
    followed = after(*events)
    assert order_of(followed) is None
    for late in (order_told(order_in(FULLY_FILLED, quantity=4)), cancel_answered()):
        followed.process(late)
    assert order_of(followed) is None


def test_a_fill_without_our_id_is_known_by_the_venues() -> None:
    followed = after(order_told(order_in(opened(3, 0, "1"), quantity=4)))
    followed.process(filled(fill(quantity=1, cid="")))
    order = order_of(followed)
    assert order is not None
    assert order.quantity_traded == 1
    followed.process(filled(fill(quantity=1, cid="somebody's")))
    assert order_of(followed) == order
    assert held(followed) == 2, "the position counts every fill of the account"


# ---------------------------------------------------------------------------------------------- once


def test_a_fill_that_comes_again_under_another_key_is_counted_once() -> None:
    followed = after(filled(fill("7", quantity=1), 3, 1))
    for again in (filled(fill("7", quantity=1), 4, 1), filled(fill("7", quantity=1))):
        followed.process(again)
    order = order_of(followed)
    assert order is not None
    assert (held(followed), order.quantity_traded) == (Decimal(1), Decimal(1))


def test_what_shares_an_id_and_is_another_fill_counts() -> None:
    followed = after(filled(fill("7", quantity=2)))
    followed.process(filled(fill("7", quantity=1, time_ns=2)))  # ids that begin anew
    assert held(followed) == 3
    followed.process(filled(fill("7", Side.SELL, quantity=1, cid="c2")))  # against another order of ours
    assert held(followed) == 2
    followed.process(filled(fill("7", quantity=1, instrument=1)))  # on another instrument
    assert followed.engine.state.instruments[1].position is not None


def test_fills_are_recognised_within_a_window_that_does_not_grow() -> None:
    followed = follow()
    for number in range(FILLS_MAX + 10):
        followed.process(filled(fill(str(number), time_ns=number)))
    fills = followed.engine.state.instruments[BTC].fills
    assert len(fills.marks) == FILLS_MAX
    for number in range(10, FILLS_MAX + 10):
        assert fills.has(fill(str(number), time_ns=number))
    assert not fills.has(fill("9", time_ns=9))


# ---------------------------------------------------------------------------------------------- finished


def finished(*events: EngineEvent) -> Followed:
    """Return an engine whose order, under an id that it derived, was cancelled, after these events."""
    followed = follow(Scripted(answer_once(Decision((), [open_request("")]))))
    assert [request.key.cid for request in decided(followed.process(public_trade())).opens_sent] == [OURS]
    followed.process(cancel_answered(OURS))
    for event in events:
        followed.process(event)
    return followed


@pytest.mark.parametrize(
    "state", [OPEN_IN_FLIGHT, opened(), CancelInFlight(None), CancelInFlight(opened()), CancelUnknown(None)]
)
def test_a_late_report_does_not_bring_a_finished_order_back(state: OrderState) -> None:
    late = order_in(state, OURS)
    followed = finished(order_told(late), account_event(SnapshotReceived(AccountSnapshot((), (late,)))))
    assert followed.engine.state.instruments[BTC].orders == {}


@pytest.mark.parametrize("cid", ["by hand", "othere1s1n0", "teste1s1n1", "teste1s2n0", "teste2s0n0", "teste1s01n0"])
def test_what_is_not_of_our_making_is_taken_up(cid: str) -> None:
    followed = finished(order_told(order_in(opened(), cid)))
    assert set(followed.engine.state.instruments[BTC].orders) == {cid}


def test_before_the_first_order_nothing_is_of_our_making() -> None:
    followed = follow()
    followed.process(order_told(order_in(opened(), "teste1s0n0")))
    assert order_of(followed, "teste1s0n0") is not None


def test_an_id_is_sent_at_most_once() -> None:
    followed = finished()
    (refused,) = decided(followed.process(command_of(SendOpenRequests((open_request(OURS),))))).opens_refused
    assert "was used before" in refused.reason


def test_a_fill_after_the_end_counts_for_the_position_and_opens_nothing() -> None:
    followed = finished(
        filled(fill(cid=OURS)), order_told(order_in(OpenFailed(order_error(OrderErrorKind.TIMEOUT)), OURS))
    )
    assert held(followed) == 1
    assert followed.engine.state.instruments[BTC].orders == {}
