"""Orders that rest: filled by books and trades in their turn, cancelled, and what they bind meanwhile."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ASSET_BTC,
    ASSET_USDT,
    ETH,
    Number,
    book,
    cancel_of,
    open_request,
    public_trade,
)
from tests.support.simulated_account import Account, kinds
from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.order import OrderErrorKind
from tradebus.core.model.side import Side


def resting(side: Side = Side.BUY, price: Number = 99, quantity: Number = 2, **setup: Number) -> Account:
    """An order that rests at the best price, behind 2 that are shown there."""
    account = Account(**setup)  # type: ignore[arg-type]
    account.tick(book((99, 2), (101, 2)))
    account.send(open_request(side=side, price=price, quantity=quantity))
    assert account.states() == ["Open"]
    return account


def balance(total: Number, free: Number | None = None) -> Balance:
    return Balance(Decimal(total), Decimal(total if free is None else free))


def filled(account: Account) -> list[Decimal]:
    return [trade.quantity for trade in account.fills()]


def test_an_order_binds_what_it_may_cost_with_the_larger_fee() -> None:
    account = resting(fee_maker="0.02", fee_taker="0.01")
    assert account.balance(ASSET_USDT) == balance(10_000, 10_000 - 198 * Decimal("1.02"))
    account = resting(Side.SELL, 101, fee_maker="0.02")
    assert account.balance(ASSET_BTC) == balance(10, 8)


def test_an_order_is_acknowledged_with_the_venues_id_and_time() -> None:
    account = Account()
    events = account.send(open_request(price=90), now_ns=7)
    assert kinds(events) == ["OrderReceived", "BalanceReceived"]
    state = account.orders()[0].state
    assert (getattr(state, "id", None), getattr(state, "time_exchange_ns", None)) == ("0", 7)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 99), (Side.SELL, 101)])
def test_a_book_that_reaches_the_order_fills_it_at_its_own_price_up_to_the_amount_shown(side: Side, price: int) -> None:
    account = resting(side, price, fee_maker="0.001", fee_taker="0.01")
    crossing = book((97, 1), (98, "0.5")) if side is Side.BUY else book((102, "0.5"), (103, 1))
    account.tick(crossing)
    account.tick(crossing)
    assert filled(account) == [Decimal("0.5"), Decimal("0.5")]
    for trade in account.fills():
        assert (trade.price, trade.liquidity) == (Decimal(price), Liquidity.MAKER)
        assert trade.fees == price * Decimal("0.0005")
    assert account.states() == ["Open", "Open", "Open"]
    assert account.orders()[-1].quantity_remaining() == 1


def test_a_book_that_touches_the_order_from_the_other_side_fills_it() -> None:
    account = resting()
    account.tick(book((98, 1), (99, 9)))
    assert account.states() == ["Open", "FullyFilled"]
    assert account.exchange.open_orders() == []


def test_one_offer_fills_the_orders_in_the_order_they_came() -> None:
    account = resting(quantity=1)
    account.send(open_request("c2", price=99, quantity=1))
    account.tick(book((97, 1), (98, "1.5")))
    assert [(trade.cid, trade.quantity) for trade in account.fills()] == [("c1", 1), ("c2", Decimal("0.5"))]


def test_a_trade_through_the_order_fills_it_whole() -> None:
    account = resting()
    account.tick(public_trade("98.9", "0.1", Side.SELL))
    assert filled(account) == [2]
    assert account.fills()[0].price == 99


def test_a_trade_at_the_order_fills_it_once_the_queue_before_it_is_used_up() -> None:
    account = resting()
    account.tick(public_trade(99, "1.5", Side.SELL))
    assert filled(account) == []
    account.tick(public_trade(99, 1, Side.SELL))
    assert filled(account) == [Decimal("0.5")]
    account.tick(public_trade(99, 9, Side.SELL))
    assert filled(account) == [Decimal("0.5"), Decimal("1.5")]
    assert account.states()[-1] == "FullyFilled"


def test_the_queue_gets_shorter_with_what_is_shown_and_never_longer() -> None:
    account = resting()
    account.tick(book((99, "0.5"), (101, 2)))
    account.tick(book((99, 50), (101, 2)))
    account.tick(public_trade(99, 1, Side.SELL))
    assert filled(account) == [Decimal("0.5")]


def test_an_order_before_the_best_price_has_no_queue() -> None:
    account = resting(price=100)
    account.tick(public_trade(100, 1, Side.SELL))
    assert filled(account) == [1]


def test_an_order_behind_the_best_price_queues_when_its_price_becomes_the_best() -> None:
    account = resting(price=98)
    account.tick(book((98, 5), (101, 2)))
    account.tick(public_trade(98, 6, Side.SELL))
    assert filled(account) == [1]


@pytest.mark.parametrize(
    ("trade_price", "side"),
    [(99, Side.BUY), (98, Side.BUY), ("99.1", Side.SELL), (101, Side.SELL), (500, Side.BUY)],
)
def test_trades_on_the_other_side_or_above_do_not_fill_a_bid(trade_price: Number, side: Side) -> None:
    account = resting()
    account.tick(public_trade(trade_price, 100, side))
    assert filled(account) == []


def test_trades_of_buyers_fill_offers() -> None:
    account = resting(Side.SELL, 101)
    account.tick(public_trade(101, 3, Side.BUY))
    assert filled(account) == [1]
    account.tick(public_trade(102, "0.01", Side.BUY))
    assert filled(account) == [1, 1]


def test_one_trade_is_shared_by_the_orders_at_its_price() -> None:
    account = Account()
    account.tick(book((98, 1), (101, 1)))
    account.send(open_request("a", price=99, quantity=1), open_request("b", price=99, quantity=1))
    account.tick(public_trade(99, "1.25", Side.SELL))
    assert [(trade.cid, trade.quantity) for trade in account.fills()] == [("a", 1), ("b", Decimal("0.25"))]


def test_other_instruments_do_not_fill_it() -> None:
    account = resting()
    account.tick(public_trade(1, 100, Side.SELL, instrument=ETH))
    account.tick(book((1, 1), (2, 1), instrument=ETH))
    assert filled(account) == []


def test_a_cancel_frees_what_was_bound_and_says_the_venues_id() -> None:
    account = resting(fee_maker="0.01")
    events = account.send(cancel_of(), now_ns=9)
    assert kinds(events) == ["CancelAnswered", "BalanceReceived"]
    (answer,) = account.cancels()
    assert (answer.id, answer.time_exchange_ns, answer.error) == ("0", 9, None)
    assert account.balance(ASSET_USDT) == balance(10_000)
    assert account.exchange.open_orders() == []
    account.tick(public_trade(1, 100, Side.SELL))
    assert filled(account) == []


def test_a_cancel_of_a_partly_filled_order_frees_the_rest() -> None:
    account = resting(fee_maker="0.01")
    account.tick(book((97, 1), (98, "0.5")))
    account.send(cancel_of())
    assert account.balance(ASSET_USDT) == balance(10_000 - Decimal("49.5") * Decimal("1.01"))
    assert account.balance(ASSET_BTC) == balance("10.5")


@pytest.mark.parametrize("cid", ["c1", "never"])
def test_a_cancel_of_what_is_not_open_is_refused(cid: str) -> None:
    account = resting()
    account.send(cancel_of("c1"))
    account.send(cancel_of(cid))
    error = account.cancels()[-1].error
    assert error is not None
    assert (error.kind, error.subject) == (OrderErrorKind.ORDER_UNKNOWN, cid)


def test_cancels_arrive_before_the_orders_of_the_same_decision() -> None:
    account = resting(quantity=90)
    account.send(open_request("c2", price=99, quantity=90), cancel_of("c1"))
    assert account.states("c2") == ["Open"], "the money was free again"


def test_a_start_record_begins_the_account_anew() -> None:
    account = resting()
    account.send(open_request("late", price=98))
    account.events.clear()
    events = account.tick(account.started)
    assert kinds(events) == ["SnapshotReceived"]
    assert account.exchange.open_orders() == []
    assert account.balance(ASSET_USDT) == balance(10_000)
    assert account.exchange.next_time_ns() is None
    account.tick(public_trade(1, 100, Side.SELL))
    assert filled(account) == []
    account.send(open_request("c3", price="0.5"))
    assert getattr(account.orders("c3")[0].state, "id", None) == "0", "ids begin again"
