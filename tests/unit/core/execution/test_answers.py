"""What a client's answer becomes, which account a client serves, and the venue's time of an event."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    account_event,
    asset_balance,
    balance_told,
    cancel_of,
    fill,
    filled,
    open_request,
    opened,
    order_error,
    order_in,
    order_key,
    public_trade,
)
from tradebus.core.engine.event import (
    CancelAnswered,
    ClockAdvanced,
    OrderReceived,
    OwnerChanged,
    SnapshotReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.execution.answers import TIMED_OUT, account_name, cancel_answered, open_answered
from tradebus.core.execution.error import ClientMismatch
from tradebus.core.execution.times import event_time_exchange_ns
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import ExchangeId, OrderId
from tradebus.core.model.order import FULLY_FILLED, Cancelled, OpenFailed, OrderState

REQUEST = open_request(quantity=2)


def told(answer: OrderReceived | None) -> OrderState:
    assert answer is not None
    assert (answer.order.key, answer.order.quantity) == (REQUEST.key, REQUEST.quantity)
    return answer.order.state


def test_an_open_request_is_answered_by_its_order() -> None:
    assert told(open_answered(REQUEST, opened(filled="0.5"))) == opened(filled="0.5")
    for filled_quantity in (2, 3):
        assert told(open_answered(REQUEST, opened(filled=filled_quantity))) is FULLY_FILLED
    assert told(open_answered(REQUEST, order_error())) == OpenFailed(order_error())
    assert told(open_answered(REQUEST, TIMED_OUT)) == OpenFailed(TIMED_OUT)
    assert open_answered(REQUEST, None) is None


def test_a_cancel_request_is_answered_by_yes_or_no() -> None:
    request = cancel_of()
    done = Cancelled(OrderId("9"), 5)
    assert cancel_answered(request, done) == CancelAnswered(request.key, OrderId("9"), 5, None)
    assert cancel_answered(request, order_error()) == CancelAnswered(request.key, None, None, order_error())
    assert cancel_answered(request, None) is None


def test_a_client_of_a_venue_serves_that_venue_and_a_simulated_one_any() -> None:
    assert account_name(ExchangeId.OKX, ExchangeId.OKX) == "okx"
    assert account_name(ExchangeId.MOCK, ExchangeId.OKX) == "okx-paper"
    assert account_name(ExchangeId.SIMULATED, ExchangeId.BINANCE_SPOT) == "binance_spot-paper"
    with pytest.raises(ClientMismatch, match="expected a client of binance_spot, found one of okx"):
        account_name(ExchangeId.OKX, ExchangeId.BINANCE_SPOT)


SNAPSHOT = AccountSnapshot((asset_balance(time_ns=3), asset_balance(time_ns=9)), (order_in(opened(time_ns=7)),))
TIMES: list[tuple[EngineEvent, int | None]] = [
    (public_trade(Decimal(1), time_ns=4), 4),
    (filled(fill(time_ns=6)), 6),
    (balance_told(asset_balance(time_ns=8)), 8),
    (account_event(OrderReceived(order_in(opened(time_ns=2)))), 2),
    (account_event(OrderReceived(order_in())), None),
    (account_event(CancelAnswered(order_key(), OrderId("1"), 5, None)), 5),
    (account_event(CancelAnswered(order_key(), None, None, order_error())), None),
    (account_event(SnapshotReceived(SNAPSHOT)), 9),
    (account_event(SnapshotReceived(AccountSnapshot((), (order_in(opened(time_ns=7)),)))), 7),
    (account_event(SnapshotReceived(AccountSnapshot((), ()))), None),
    (account_event(OwnerChanged("o", 1)), None),
    (ClockAdvanced(), None),
]


@pytest.mark.parametrize(("event", "time_ns"), TIMES)
def test_the_venues_time_of_an_event(event: EngineEvent, time_ns: int | None) -> None:
    assert event_time_exchange_ns(event) == time_ns
