"""States of orders: what they carry, and the requests made of them."""

from decimal import Decimal

import pytest

from tests.support.builders import cancel_of, fill, open_request, opened, order_error, order_in, order_key
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    OpenFailed,
    OpenUnknown,
    OrderState,
    cancel_request,
    is_active,
    is_unknown,
    open_part,
    order_from_request,
    state_time_exchange_ns,
)
from tradebus.core.model.side import Side

OPEN = opened(7, "0.25")
CANCELLED = Cancelled(OrderId("1"), 9)
FAILED = OpenFailed(order_error())


@pytest.mark.parametrize(
    ("state", "active", "part", "time"),
    [
        (OPEN_IN_FLIGHT, True, None, None),
        (OPEN, True, OPEN, 7),
        (CancelInFlight(None), True, None, None),
        (CancelInFlight(OPEN), True, OPEN, 7),
        (OPEN_UNKNOWN, True, None, None),
        (CancelUnknown(None), True, None, None),
        (CancelUnknown(OPEN), True, OPEN, 7),
        (CANCELLED, False, None, 9),
        (FULLY_FILLED, False, None, None),
        (FAILED, False, None, None),
        (EXPIRED, False, None, None),
    ],
)
def test_what_each_state_carries(state: OrderState, active: bool, part: OrderState | None, time: int | None) -> None:
    assert is_active(state) is active
    assert is_unknown(state) is isinstance(state, OpenUnknown | CancelUnknown)
    assert open_part(state) == part
    assert state_time_exchange_ns(state) == time
    remaining = Decimal("0.75") if part is not None else Decimal(1)
    assert order_in(state).quantity_remaining() == remaining


def test_a_sent_request_becomes_an_order_in_flight_as_asked() -> None:
    request = open_request("a", Side.SELL, "1.5", "2", instrument=1)
    order = order_from_request(request)
    assert order.state == OPEN_IN_FLIGHT
    for name in ("key", "side", "price", "quantity", "kind", "time_in_force"):
        assert getattr(order, name) == getattr(request, name)


def test_a_cancel_names_the_venues_id_where_it_is_known_and_is_not_asked_twice() -> None:
    assert cancel_request(order_in(OPEN_IN_FLIGHT)) == cancel_of()
    assert cancel_request(order_in(OPEN)) == cancel_of("c1", "1")
    for state in (CancelInFlight(None), CancelInFlight(OPEN), CANCELLED, FULLY_FILLED, FAILED, EXPIRED):
        assert cancel_request(order_in(state)) is None


def test_a_cancel_of_which_no_answer_came_is_asked_again() -> None:
    assert cancel_request(order_in(OPEN_UNKNOWN)) == cancel_of()
    assert cancel_request(order_in(CancelUnknown(None))) == cancel_of()
    assert cancel_request(order_in(CancelUnknown(OPEN))) == cancel_of("c1", "1")


def test_small_sums() -> None:
    assert Balance(Decimal(10), Decimal(4)).used == 6
    assert fill(price=3, quantity=-2).value_quote == 6
    assert order_key("a") != order_key("b")
