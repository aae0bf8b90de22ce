"""Amended orders on a simulated book: their place in the queue, what they bind, and what they may not become."""

from decimal import Decimal

import pytest

from tests.support.builders import ASSET_USDT, amend_of, book, cancel_of, open_request, public_trade, steps
from tests.support.simulated_account import Account, kinds
from tradebus.core.engine.event import ClockAdvanced
from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.order import OrderErrorKind, OrderRequestAmend, TimeInForce
from tradebus.core.model.side import Side


def quoting(*, latency_ns: int = 0) -> Account:
    """Return an account with a bid for 2 at 99, behind 5 that others bid there."""
    made = Account(latency_ns=latency_ns)
    made.tick(book((99, 5), (101, 5)))
    made.send(open_request(price=99, quantity=2))
    made.tick(ClockAdvanced(), now_ns=latency_ns)
    return made


def sold(account: Account, amount: int, price: int = 99) -> Decimal:
    """Return what of our orders fills when somebody sells an amount."""
    before = sum((trade.quantity for trade in account.fills()), Decimal(0))
    account.tick(public_trade(price, amount, Side.SELL))
    return sum((trade.quantity for trade in account.fills()), Decimal(0)) - before


def refusal(account: Account) -> tuple[OrderErrorKind, str]:
    """Return why the last amend was refused."""
    error = account.amends()[-1].error
    assert error is not None
    return error.kind, error.message


def test_an_order_that_gets_smaller_keeps_its_place() -> None:
    account = quoting()
    sold(account, 4)
    events = account.send(amend_of(quantity=1))
    assert kinds(events) == ["AmendAnswered", "BalanceReceived"]
    answer = account.amends()[0]
    assert (answer.error, answer.price, answer.quantity) == (None, Decimal(99), Decimal(1))
    assert sold(account, 3) == 1, "one was left before it, and it is one itself"
    assert account.states()[-1] == "FullyFilled"


@pytest.mark.parametrize("request_", [amend_of(quantity=3), amend_of(price=98), amend_of(price=98, quantity=1)])
def test_an_order_that_gets_larger_or_another_price_begins_at_the_end(request_: OrderRequestAmend) -> None:
    account = quoting()
    sold(account, 5)
    at = int(request_.price or 99)
    account.tick(book((at, 7), (101, 5)))
    account.send(request_)
    assert sold(account, 7, at) == 0
    assert sold(account, 9, at) == (request_.quantity or 2)


def test_among_our_own_orders_an_amended_one_stands_last() -> None:
    account = Account()
    account.tick(book((98, 1), (101, 5)))
    account.send(open_request("a", price=99, quantity=1), open_request("b", price=99, quantity=1))
    account.send(amend_of("a", quantity=2))
    account.tick(public_trade(99, 1, Side.SELL))
    assert [trade.cid for trade in account.fills()] == ["b"]
    account.send(amend_of("a", quantity=1))
    assert account.exchange.open_orders() == ["a"]


def test_what_an_order_binds_follows_its_terms() -> None:
    account = quoting()
    assert account.balance(ASSET_USDT) == Balance(Decimal(10_000), Decimal(9_802))
    account.send(amend_of(price=100, quantity=3))
    assert account.balance(ASSET_USDT).used == 300
    account.send(amend_of(quantity=1))
    assert account.balance(ASSET_USDT).used == 100
    account.send(cancel_of())
    assert account.balance(ASSET_USDT).used == 0


def test_what_cannot_be_paid_is_refused_and_nothing_changes() -> None:
    account = quoting()
    account.send(amend_of(quantity=200))
    kind, message = refusal(account)
    assert kind is OrderErrorKind.BALANCE_INSUFFICIENT
    assert "9802" in message
    assert sold(account, 7) == 2, "its place was not touched either"


def test_an_amended_order_that_crosses_takes() -> None:
    account = quoting()
    account.send(amend_of(price=102, quantity=7))
    (trade,) = account.fills()
    assert (trade.price, trade.quantity, trade.liquidity) == (Decimal(101), Decimal(5), Liquidity.TAKER)
    assert account.balance(ASSET_USDT) == Balance(Decimal(10_000 - 505), Decimal(10_000 - 505 - 204))
    account.tick(book((99, 1), (102, 9)))
    assert account.states()[-1] == "FullyFilled"
    assert account.balance(ASSET_USDT).used == 0


@pytest.mark.parametrize(
    ("request_", "kind", "message"),
    [
        (amend_of("ghost", price=98), OrderErrorKind.ORDER_UNKNOWN, "no open order"),
        (amend_of(price=102), OrderErrorKind.ORDER_REJECTED, "post-only would take"),
        (amend_of(quantity=1), OrderErrorKind.ORDER_REJECTED, "above the 1 filled"),
        (amend_of(price="98.00000001"), OrderErrorKind.ORDER_REJECTED, "tick size"),
        (amend_of(quantity="1.00000001"), OrderErrorKind.ORDER_REJECTED, "lot size"),
    ],
)
def test_what_an_order_may_not_become(request_: OrderRequestAmend, kind: OrderErrorKind, message: str) -> None:
    account = Account(spec=steps("0.01", "0.01"))
    account.tick(book((98, 1), (101, 5)))
    account.send(open_request(price=99, quantity=2, time_in_force=TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY))
    assert sold(account, 1) == 1
    account.send(request_)
    assert refusal(account)[0] is kind
    assert message in refusal(account)[1]
    assert sold(account, 5) == 1, "it stands as it was"


def test_an_amend_takes_its_time() -> None:
    account = quoting(latency_ns=100)
    assert account.send(amend_of(price=98), now_ns=1_000) == []
    account.tick(ClockAdvanced(), now_ns=1_099)
    assert account.amends() == []
    account.tick(ClockAdvanced(), now_ns=1_100)
    (answer,) = account.amends()
    assert answer.time_exchange_ns == 1_050


def test_a_fill_may_be_faster() -> None:
    account = quoting(latency_ns=100)
    account.send(amend_of(price=98), now_ns=1_000)
    account.tick(public_trade(98, 1, Side.SELL), now_ns=1_010)
    account.tick(ClockAdvanced(), now_ns=2_000)
    assert account.states()[-1] == "FullyFilled"
    assert refusal(account)[0] is OrderErrorKind.ORDER_UNKNOWN
