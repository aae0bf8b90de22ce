"""What the market last said of an instrument, and whether it can be believed."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    BETA_BTC,
    BTC,
    ETH,
    Number,
    book,
    book_snapshot,
    book_update,
    fill,
    filled,
    market_data,
    public_trade,
)
from tests.support.scenario import Followed, follow
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.market.book import order_book
from tradebus.core.market.event import Candle, Liquidation, MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.number import ZERO
from tradebus.core.model.side import Side


def data_after(*events: MarketEvent) -> InstrumentMarketData:
    followed = follow()
    for event in events:
        followed.process(event)
    return followed.engine.state.instruments[BTC].data


def test_nothing_known_has_no_price() -> None:
    assert data_after().price() is None


@pytest.mark.parametrize(
    ("times_and_prices", "price"),
    [
        ([(5, 100)], 100),
        ([(5, 100), (6, 101)], 101),
        ([(5, 100), (4, 99)], 100),
        ([(5, 100), (5, 101), (5, 102)], 102),
        ([(-5, 100)], 100),
        ([(0, 100), (0, 101)], 101),
    ],
)
def test_the_newest_trade_gives_the_price_and_of_equal_times_the_last(
    times_and_prices: list[tuple[int, int]], price: int
) -> None:
    assert data_after(*(public_trade(price, time_ns=time) for time, price in times_and_prices)).price() == price


@pytest.mark.parametrize(
    ("bid", "ask", "price"),
    [
        ((100, 1), (102, 1), 101),
        ((100, 9), (110, 1), 109),
        ((100, 0), (110, 1), 100),
        ((100, 1), (110, 0), 110),
        ((100, 0), (110, 0), 105),
    ],
)
def test_micro_price_leans_to_the_side_with_less(
    bid: tuple[Number, Number], ask: tuple[Number, Number], price: int
) -> None:
    assert data_after(book(bid, ask)).price() == price


def test_half_a_book_gives_the_last_trade() -> None:
    assert data_after(public_trade(50), book(None, (101, 1))).price() == 50
    assert data_after(public_trade(50), book((99, 1), None)).price() == 50
    assert data_after(book((99, 1), None)).price() is None


def test_a_book_is_replaced_by_a_newer_one_only() -> None:
    for time in (4, 5):
        assert data_after(book((99, 1), (101, 1), time_ns=5), book((9, 1), (11, 1), time_ns=time)).price() == 100
    assert data_after(book((99, 1), (101, 1), time_ns=5), book(None, None, time_ns=6)).price() is None


def test_staleness_is_judged_within_one_kind() -> None:
    data = data_after(book(time_ns=100), public_trade(50, time_ns=3))
    assert data.price_last == 50
    assert data.price() == 100


def test_levels_make_a_book_and_leave_the_price_alone() -> None:
    data = data_after(
        market_data(book_snapshot([(99, 9), (98, 1)], [(109, 1)], 4), time_ns=5),
        market_data(book_update([(98, 0)], [(110, 2)], 5), time_ns=5),
    )
    assert data.l2 == order_book(book_snapshot([(99, 9)], [(109, 1), (110, 2)], 5))
    assert (data.price(), data.book_price(), data.is_l2_stale) == (None, Decimal(108), False)


def test_levels_older_than_the_book_are_ignored() -> None:
    for older in (book_update([(98, 1)], sequence=9), book_snapshot([(98, 1)], sequence=9)):
        data = data_after(market_data(book_snapshot(), time_ns=5), market_data(older, time_ns=4))
        assert (data.l2, data.l2_time_ns) == (order_book(book_snapshot()), 5)


def test_a_book_is_not_believed_before_a_snapshot_nor_after_a_loss() -> None:
    followed = follow()
    data = followed.engine.state.instruments[BTC].data
    followed.process(market_data(book_update([(99, 1)], [(101, 1)])))
    assert (data.is_l2_stale, data.book_price()) == (True, None)
    followed.process(market_data(book_snapshot()))
    assert (data.is_l2_stale, data.book_price()) == (False, Decimal(100))
    for loss in (MarketGap(ALPHA, BTC, 3, 4), MarketReconnecting(ALPHA, "lost")):
        followed.process(loss)
        followed.process(market_data(book_update([(98, 1)])))
        assert (data.is_stale, data.is_l2_stale, data.book_price()) == (False, True, None)
        followed.process(market_data(book_snapshot()))
        assert (data.is_stale, data.is_l2_stale, data.book_price()) == (False, False, Decimal(100))


def test_half_a_book_of_levels_has_no_price() -> None:
    assert data_after(market_data(book_snapshot([(99, 1)], []))).book_price() is None
    assert data_after().book_price() is None


def test_candles_and_liquidations_are_left_to_user_defined_data() -> None:
    one = Decimal(1)
    kinds = (Candle(1, one, one, one, one, one, 1), Liquidation(Side.BUY, one, one))
    for data in kinds:
        assert data_after(market_data(data)) == data_after()


def staleness(followed: Followed) -> list[bool]:
    return [instrument.data.is_stale for instrument in followed.engine.state.instruments]


def test_a_gap_makes_its_instrument_stale_until_something_comes() -> None:
    followed = follow()
    followed.process(MarketGap(ALPHA, ETH, 3, 4))
    assert staleness(followed) == [False, True, False]
    followed.process(public_trade())
    assert staleness(followed) == [False, True, False]
    followed.process(public_trade(instrument=ETH))
    assert staleness(followed) == [False, False, False]


def test_a_lost_feed_makes_the_instruments_of_its_exchange_stale() -> None:
    followed = follow()
    followed.process(MarketReconnecting(ALPHA, "lost"))
    assert staleness(followed) == [True, True, False]
    followed.process(book(instrument=BETA_BTC))
    followed.process(book())
    assert staleness(followed) == [False, True, False]


def test_a_position_is_marked_at_the_market_else_at_its_last_fill() -> None:
    followed = follow()
    instrument = followed.engine.state.instruments[BTC]
    assert (instrument.price_mark(), instrument.pnl_unrealised()) == (None, ZERO)
    followed.process(filled(fill(price=100, quantity=2, fees=1)))
    assert (instrument.price_mark(), instrument.pnl_unrealised()) == (Decimal(100), Decimal(-1))
    followed.process(public_trade(110))
    assert (instrument.price_mark(), instrument.pnl_unrealised()) == (Decimal(110), Decimal(19))
    assert instrument.pnl_realised() == -1
