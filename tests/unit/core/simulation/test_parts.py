"""The parts of a simulated exchange: the top of a book, the ledger, a resting order."""

from decimal import Decimal

from tests.support.builders import (
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    Number,
    book,
    open_request,
)
from tradebus.core.market.event import BookL1
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.side import Side
from tradebus.core.simulation.book import TopOfBook, empty_book
from tradebus.core.simulation.ledger import Ledger, LedgerEntry
from tradebus.core.simulation.resting import RestingOrder


def top(bid: tuple[Number, Number] | None, ask: tuple[Number, Number] | None) -> TopOfBook:
    found = empty_book()
    data = book(bid, ask).data
    assert isinstance(data, BookL1)
    found.update(data)
    return found


def test_takers_meet_the_opposite_side_up_to_what_is_shown() -> None:
    found = top((99, 2), (101, 3))
    assert found.taker_price(Side.BUY) == 101
    assert found.taker_price(Side.SELL) == 99
    assert found.taker_amount(Side.BUY, Decimal(10)) == 3
    assert found.taker_amount(Side.SELL, Decimal(1)) == 1


def test_what_was_taken_stays_taken_until_the_next_update() -> None:
    found = top((99, 2), (101, 3))
    found.take(Side.BUY, Decimal(2))
    found.take(Side.SELL, Decimal(2))
    assert found.taker_amount(Side.BUY, Decimal(10)) == 1
    assert found.taker_amount(Side.SELL, Decimal(10)) == 0
    data = book((99, 2), (101, 3)).data
    assert isinstance(data, BookL1)
    found.update(data)
    assert found.taker_amount(Side.BUY, Decimal(10)) == 3


def test_where_only_trades_are_known_the_last_one_stands_in_without_limit() -> None:
    found = empty_book()
    assert found.taker_price(Side.BUY) is None
    found.price_last = Decimal(100)
    assert found.taker_price(Side.SELL) == 100
    assert found.taker_amount(Side.SELL, Decimal(10**9)) == 10**9
    found.take(Side.SELL, Decimal(10**9))
    assert found.taker_amount(Side.SELL, Decimal(1)) == 1


def test_a_side_that_is_empty_offers_nothing_whatever_was_traded() -> None:
    for bid, ask in ((None, (101, 1)), ((99, 1), None), (None, None)):
        found = top(bid, ask)
        found.price_last = Decimal(100)
        assert (found.taker_price(Side.BUY) is None) is (ask is None)
        assert (found.taker_price(Side.SELL) is None) is (bid is None)


def test_what_is_displayed_at_our_price_is_the_queue_before_us() -> None:
    found = top((99, 2), (101, 3))
    assert found.displayed(Side.BUY, Decimal("99.0")) == 2
    assert found.displayed(Side.SELL, Decimal(101)) == 3
    assert found.displayed(Side.BUY, Decimal(98)) is None
    assert found.displayed(Side.SELL, Decimal(102)) is None
    assert empty_book().displayed(Side.BUY, Decimal(99)) is None


def test_a_ledger_binds_frees_spends_and_credits() -> None:
    ledger = Ledger(((ASSET_USDT, Decimal(100)),))
    assert ledger.assets() == [ASSET_USDT]
    assert ledger.reserve(ASSET_USDT, Decimal(60))
    assert not ledger.reserve(ASSET_USDT, Decimal("40.01"))
    assert ledger.balance(ASSET_USDT, 5).balance.used == 60
    ledger.spend_reserved(ASSET_USDT, Decimal(60), Decimal(50))
    assert ledger.entry(ASSET_USDT) == LedgerEntry(Decimal(50), Decimal(50))
    ledger.reserve(ASSET_USDT, Decimal(50))
    ledger.release(ASSET_USDT, Decimal(50))
    ledger.credit(ASSET_BTC, Decimal(2))
    assert ledger.entry(ASSET_BTC) == LedgerEntry(Decimal(2), Decimal(2))
    assert ledger.entry(ASSET_ETH) == LedgerEntry(Decimal(0), Decimal(0))
    assert ledger.assets() == [ASSET_BTC, ASSET_ETH, ASSET_USDT]
    assert ledger.balance(ASSET_USDT, 5).time_exchange_ns == 5


def resting(side: Side = Side.BUY) -> RestingOrder:
    return RestingOrder(open_request(side=side, quantity=10), OrderId("0"), Decimal(100), Decimal(10))


def test_an_order_binds_quote_with_fees_or_base() -> None:
    order = resting()
    assert order.required(Decimal("0.01")) == 1010
    order.filled = Decimal(4)
    assert order.remaining() == 6
    assert order.required(Decimal("0.01")) == 606
    assert resting(Side.SELL).required(Decimal("0.01")) == 10


def test_an_order_is_reached_from_the_other_side() -> None:
    buy, sell = resting(), resting(Side.SELL)
    reached = [(buy.is_reached_by(Decimal(price)), sell.is_reached_by(Decimal(price))) for price in (99, 100, 101)]
    assert reached == [(True, False), (True, True), (False, True)]


def queue(order: RestingOrder) -> Decimal | None:
    return order.queue_ahead


def test_a_queue_only_gets_shorter() -> None:
    order = resting()
    assert order.pass_queue(Decimal(3)) == 3
    order.see_queue(None)
    assert queue(order) is None
    order.see_queue(Decimal(5))
    order.see_queue(Decimal(9))
    assert queue(order) == 5
    assert order.pass_queue(Decimal(2)) == 0
    assert queue(order) == 3
    order.see_queue(Decimal(1))
    order.see_queue(None)
    assert queue(order) == 1
    assert order.pass_queue(Decimal(4)) == 3
    assert queue(order) == 0
