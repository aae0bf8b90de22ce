"""Orders that take: market, crossing limit, immediate or cancel, fill or kill, post-only; fees and both balances."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ASSET_BTC,
    ASSET_USDT,
    BETA_BTC,
    ETH,
    Number,
    book,
    market_request,
    open_request,
    public_trade,
    steps,
)
from tests.support.simulated_account import Account, kinds
from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.order import OrderErrorKind, TimeInForce
from tradebus.core.model.side import Side

IOC = TimeInForce.IMMEDIATE_OR_CANCEL
FOK = TimeInForce.FILL_OR_KILL
POST_ONLY = TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY


def quoted(
    bid: tuple[Number, Number] | None = (99, 2), ask: tuple[Number, Number] | None = (101, 2), **setup: Number
) -> Account:
    account = Account(**setup)  # type: ignore[arg-type]
    account.tick(book(bid, ask))
    return account


def balance(total: Number, free: Number | None = None) -> Balance:
    return Balance(Decimal(total), Decimal(total if free is None else free))


def test_a_market_order_fills_at_the_opposite_price_whatever_it_says_itself() -> None:
    account = quoted()
    events = account.send(market_request(price=1, quantity=2))
    assert kinds(events) == ["OrderReceived", "BalanceReceived", "BalanceReceived", "TradeReceived"]
    assert account.states() == ["FullyFilled"]
    (trade,) = account.fills()
    assert (trade.price, trade.quantity, trade.liquidity) == (Decimal(101), Decimal(2), Liquidity.TAKER)
    assert (trade.cid, trade.order_id, trade.id, trade.strategy) == ("c1", "0", "0", "s")
    assert account.balance(ASSET_BTC) == balance(12)
    assert account.balance(ASSET_USDT) == balance(10_000 - 202)


def test_selling_pays_base_and_gets_quote() -> None:
    account = quoted(fee_taker="0.01")
    events = account.send(market_request(side=Side.SELL, quantity=2))
    assert [getattr(getattr(event.data, "balance", None), "asset", None) for event in events[1:3]] == [
        ASSET_BTC,
        ASSET_USDT,
    ]
    assert account.fills()[0].fees == Decimal("1.98")
    assert account.balance(ASSET_BTC) == balance(8)
    assert account.balance(ASSET_USDT) == balance(10_000 + 198 - Decimal("1.98"))


def test_buying_pays_quote_with_fees_and_gets_base() -> None:
    account = quoted(fee_taker="0.01")
    events = account.send(market_request(quantity=2))
    assert [getattr(getattr(event.data, "balance", None), "asset", None) for event in events[1:3]] == [
        ASSET_USDT,
        ASSET_BTC,
    ]
    assert account.fills()[0].fees == Decimal("2.02")
    assert account.balance(ASSET_USDT) == balance(10_000 - 202 - Decimal("2.02"))


def test_what_is_not_offered_of_a_market_order_is_cancelled() -> None:
    account = quoted()
    events = account.send(market_request(quantity=5))
    assert kinds(events[-2:]) == ["OrderReceived", "BalanceReceived"]
    assert account.states() == ["Open", "Cancelled"]
    assert [trade.quantity for trade in account.fills()] == [2]
    assert account.exchange.open_orders() == []
    assert account.balance(ASSET_USDT) == balance(10_000 - 202)


@pytest.mark.parametrize(("bid", "ask"), [(None, None), ((99, 1), None), ((99, 1), (101, 0))])
def test_a_market_order_is_refused_where_nothing_is_offered(
    bid: tuple[Number, Number] | None, ask: tuple[Number, Number] | None
) -> None:
    account = quoted(bid, ask)
    account.tick(public_trade(100))
    account.send(market_request())
    assert account.refusal() == (OrderErrorKind.ORDER_REJECTED, "nothing is offered")
    assert account.fills() == []


def test_where_nothing_was_ever_seen_a_market_order_is_refused_and_after_a_trade_it_fills() -> None:
    account = Account()
    account.send(market_request("a"))
    assert account.refusal("a")[1] == "nothing is offered"
    account.tick(public_trade(100, "0.001"))
    account.send(market_request("b", quantity=50))
    assert [trade.price for trade in account.fills("b")] == [100]


def test_an_emptied_book_is_not_filled_at_the_last_trade() -> None:
    account = quoted()
    account.tick(public_trade(100))
    account.tick(book(None, None))
    account.send(market_request())
    assert account.refusal()[1] == "nothing is offered"


def test_two_orders_do_not_take_the_same_offer() -> None:
    account = quoted()
    account.send(
        market_request("a", quantity="1.5"), market_request("b", quantity="1.5"), market_request("c", quantity=1)
    )
    assert [trade.quantity for trade in account.fills()] == [Decimal("1.5"), Decimal("0.5")]
    assert account.refusal("c")[1] == "nothing is offered"
    account.tick(book((99, 2), (101, 2)))
    account.send(market_request("d", quantity=2))
    assert account.fills("d")[0].quantity == 2


def test_a_limit_order_takes_at_the_better_price_and_rests_with_what_remains() -> None:
    account = quoted(fee_taker="0.01", fee_maker="0.001")
    events = account.send(open_request(price=105, quantity=5))
    assert kinds(events) == ["OrderReceived", "BalanceReceived", "BalanceReceived", "TradeReceived"]
    assert account.states() == ["Open"]
    assert account.orders()[0].quantity_remaining() == 3
    (trade,) = account.fills()
    assert (trade.price, trade.quantity, trade.fees) == (Decimal(101), Decimal(2), Decimal("2.02"))
    spent = 202 + Decimal("2.02")
    bound = 3 * 105 * Decimal("1.01")
    assert account.balance(ASSET_USDT) == balance(10_000 - spent, 10_000 - spent - bound)
    assert account.exchange.open_orders() == ["c1"]


@pytest.mark.parametrize(
    ("side", "price", "fills"),
    [(Side.BUY, 101, 1), (Side.BUY, "100.99", 0), (Side.SELL, 99, 1), (Side.SELL, "99.01", 0)],
)
def test_a_limit_order_takes_up_to_its_price(side: Side, price: Number, fills: int) -> None:
    account = quoted()
    account.send(open_request(side=side, price=price))
    assert len(account.fills()) == fills


def test_immediate_or_cancel_leaves_nothing_behind() -> None:
    account = quoted()
    account.send(open_request("a", price=101, quantity=5, time_in_force=IOC))
    assert account.states("a") == ["Open", "Cancelled"]
    assert account.fills("a")[0].quantity == 2
    account.send(open_request("b", price=100, quantity=5, time_in_force=IOC))
    assert (account.states("b"), account.fills("b")) == (["Cancelled"], [])
    account.tick(book())
    account.send(open_request("c", price=101, time_in_force=IOC))
    assert account.states("c") == ["FullyFilled"]
    assert account.exchange.open_orders() == []
    assert account.balance(ASSET_USDT) == balance(10_000 - 303)


@pytest.mark.parametrize(("price", "quantity", "filled"), [(101, 2, True), (101, "2.1", False), (100, 1, False)])
def test_fill_or_kill_fills_whole_or_not_at_all(price: Number, quantity: Number, filled: bool) -> None:
    account = quoted()
    account.send(open_request(price=price, quantity=quantity, time_in_force=FOK))
    if filled:
        assert account.states() == ["FullyFilled"]
    else:
        assert account.refusal() == (OrderErrorKind.ORDER_REJECTED, "cannot be filled whole")
        assert account.fills() == []


@pytest.mark.parametrize(
    ("side", "price", "rests"),
    [(Side.BUY, 100, True), (Side.BUY, 101, False), (Side.SELL, 99, False), (Side.SELL, 100, True)],
)
def test_post_only_never_takes(side: Side, price: Number, rests: bool) -> None:
    account = quoted()
    account.send(open_request(side=side, price=price, time_in_force=POST_ONLY))
    if rests:
        assert account.states() == ["Open"]
    else:
        assert account.refusal() == (OrderErrorKind.ORDER_REJECTED, "post-only would take")
    assert account.fills() == []


@pytest.mark.parametrize(
    ("side", "quantity", "asset", "text"),
    [
        (Side.BUY, 99, "usdt", "Available Balance: 10000, Required Balance inc. fees: 10096.9902"),
        (Side.SELL, 11, "btc", "Available Balance: 10, Required Balance inc. fees: 11"),
    ],
)
def test_what_cannot_be_paid_is_refused_and_uses_no_order_id(
    side: Side, quantity: Number, asset: str, text: str
) -> None:
    account = quoted((99, 500), (101, 500), fee_taker="0.01")
    before = (account.balance(ASSET_BTC), account.balance(ASSET_USDT))
    account.send(open_request(side=side, price="100.98" if side is Side.BUY else 120, quantity=quantity))
    kind, message = account.refusal()
    assert kind is OrderErrorKind.BALANCE_INSUFFICIENT
    assert message.startswith(text)
    assert getattr(account.orders()[0].state, "error").subject == asset  # noqa: B009 - the state's kind was checked above
    assert (account.balance(ASSET_BTC), account.balance(ASSET_USDT)) == before
    account.send(market_request("next"))
    assert account.fills("next")[0].order_id == "0"


def test_a_market_order_must_be_able_to_pay_what_is_offered_not_what_it_asks() -> None:
    account = quoted((99, 1), (101, 1))
    account.send(market_request(quantity=10_000))
    assert [trade.quantity for trade in account.fills()] == [1]


def test_everything_may_be_spent() -> None:
    account = Account(balances=((ASSET_USDT, "102.01"),), fee_taker="0.01")
    account.tick(book((99, 2), (101, 2)))
    account.send(market_request(quantity=1))
    assert account.balance(ASSET_USDT) == balance(0)
    account.send(market_request("b", quantity=1))
    assert account.refusal("b")[0] is OrderErrorKind.BALANCE_INSUFFICIENT


def test_the_venues_rules_are_kept() -> None:
    account = Account(spec=steps("0.5", "0.1"))
    account.tick(book())
    account.send(
        open_request("a", price="100.3"), market_request("b", quantity="0.15"), market_request("c", price="1.23")
    )
    assert account.refusal("a") == (OrderErrorKind.ORDER_REJECTED, "price 100.3 is not a multiple of the tick size 0.5")
    assert account.refusal("b")[1].startswith("quantity 0.15 is not a multiple")
    assert account.states("c") == ["FullyFilled"]


def test_the_id_of_an_open_order_is_refused() -> None:
    account = quoted()
    account.send(open_request("a", price=90), open_request("a", price=91))
    assert account.states("a") == ["Open", "OpenFailed"]
    assert account.exchange.open_orders() == ["a"]


def test_instruments_have_books_of_their_own_and_other_exchanges_are_none_of_ours() -> None:
    account = quoted()
    account.tick(book((49, 1), (51, 1), instrument=BETA_BTC))
    account.send(market_request("a", instrument=ETH), market_request("b", instrument=BETA_BTC))
    assert account.refusal("a")[1] == "nothing is offered"
    assert account.orders("b") == []
    account.send(market_request("c"))
    assert account.fills("c")[0].price == 101


def test_fees_may_be_rebates() -> None:
    account = quoted(fee_taker="-0.001")
    account.send(market_request(quantity=1))
    assert account.fills()[0].fees == Decimal("-0.101")
    assert account.balance(ASSET_USDT) == balance(10_000 - 101 + Decimal("0.101"))
