"""The book of many levels: what is kept, what it answers, and how it says that something is wrong."""

from decimal import Decimal

import pytest

from tests.support.builders import Levels, book_snapshot, book_update, levels
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.market.book import BookSide, book_side, new_book, order_book
from tradebus.core.market.event import BookL1, Level
from tradebus.core.model.side import Side

D = Decimal


def pairs(side: BookSide) -> list[tuple[object, object]]:
    return [(each.price, each.amount) for each in side.levels()]


def test_levels_come_best_first_however_they_were_given() -> None:
    book = order_book(book_snapshot([(98, 1), (99, 2), (97, 3)], [(103, 1), (101, 2), (102, 3)]))
    assert pairs(book.bids) == [(99, 2), (98, 1), (97, 3)]
    assert pairs(book.asks) == [(101, 2), (102, 3), (103, 1)]
    assert book.best() == BookL1(Level(D(99), D(2)), Level(D(101), D(2)))
    assert book.problem() == ""


def test_a_snapshot_replaces_everything() -> None:
    book = order_book(book_snapshot([(98, 1)], [(101, 2)], 5, 7))
    book.replace(book_snapshot([(90, 1)], [], 6))
    assert (book.sequence, book.time_engine_ns) == (6, None)
    assert (pairs(book.bids), pairs(book.asks)) == ([(90, 1)], [])


def test_an_update_sets_adds_and_removes_levels() -> None:
    book = order_book(book_snapshot([(98, 1), (97, 1)], [(101, 2)]))
    book.update(book_update([(98, 0), (97, 5), (96, 2), (50, 0)], [("101.0", 3), (100, 1)], 9, 8))
    assert pairs(book.bids) == [(97, 5), (96, 2)]
    assert pairs(book.asks) == [(100, 1), (101, 3)]
    assert (book.sequence, book.time_engine_ns) == (9, 8)


def test_of_one_price_in_one_update_the_last_amount_holds() -> None:
    side = book_side(Side.SELL)
    side.upsert(levels([(5, 1), (5, 2), (6, 1), (6, 0)]))
    assert pairs(side) == [(5, 2)]


@pytest.mark.parametrize(
    ("side", "kept"), [(Side.BUY, [(9, 1), (8, 1), (7, 1)]), (Side.SELL, [(1, 1), (2, 1), (3, 1)])]
)
def test_the_worst_levels_beyond_the_depth_are_forgotten(side: Side, kept: list[tuple[int, int]]) -> None:
    given = levels([(price, 1) for price in (5, 1, 9, 2, 8, 3, 7)])
    at_once, one_by_one = book_side(side, given, 3), book_side(side, (), 3)
    for each in given:
        one_by_one.upsert((each,))
    assert pairs(at_once) == pairs(one_by_one) == kept


def test_a_depth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a depth of at least 1, found 0"):
        book_side(Side.BUY, (), 0)


@pytest.mark.parametrize(
    ("bids", "asks", "mid", "weighted", "spread"),
    [
        ([], [], None, None, None),
        ([(99, 5)], [], 99, 99, None),
        ([], [(101, 5)], 101, 101, None),
        ([(99, 9)], [(109, 1)], 104, 108, 10),
        ([(99, 0)], [(101, 0)], 100, 100, 2),
    ],
)
def test_prices_of_full_half_and_empty_books(
    bids: Levels, asks: Levels, mid: int | None, weighted: int | None, spread: int | None
) -> None:
    book = order_book(book_snapshot(bids, asks))
    assert (book.mid_price(), book.volume_weighted_mid_price(), book.spread()) == (mid, weighted, spread)


def test_the_best_levels_alone_are_a_snapshot_too() -> None:
    book = order_book(book_snapshot([(98, 1), (97, 2), (96, 3)], [(101, 1), (102, 2)], 7, 3))
    assert book.snapshot(2) == book_snapshot([(98, 1), (97, 2)], [(101, 1), (102, 2)], 7, 3)
    assert book.snapshot(0) == book_snapshot([], [], 7, 3)
    assert order_book(book.snapshot()) == book


def test_amounts_at_a_price_and_up_to_one() -> None:
    book = order_book(book_snapshot([(98, 1), (97, 2), (95, 4)], [(101, 1), (103, 2)]))
    assert [book.bids.amount_at(D(price)) for price in (97, 96)] == [2, 0]
    assert [book.bids.amount_to(D(price)) for price in (99, 98, 97, 96, 1)] == [0, 1, 3, 3, 7]
    assert [book.asks.amount_to(D(price)) for price in (100, 101, 102, 200)] == [0, 1, 1, 3]


def test_what_a_taker_gets() -> None:
    book = order_book(book_snapshot([], [(101, 1), (103, 2)]))
    assert book.asks.take(D("0.5")) == (D("0.5"), D("50.5"))
    assert book.asks.take(D(2)) == (D(2), D(204))
    assert book.asks.take(D(9)) == (D(3), D(307))
    assert book.bids.take(D(1)) == (D(0), D(0))


def test_a_rank_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="expected a rank of 0 to 0, found 1"):
        book_side(Side.BUY, levels([(1, 1)])).level(1)


@pytest.mark.parametrize(
    ("bids", "asks", "words"),
    [
        ([(101, 1)], [(101, 1)], "expected a best bid below the best ask, found 101 and 101"),
        ([(99, 1), (99, 2)], [], "expected ascending prices, found 99 after 99"),
        ([], [(101, 0)], "expected an amount above 0 at 101, found 0"),
    ],
)
def test_a_book_says_what_is_wrong_with_it(bids: Levels, asks: Levels, words: str) -> None:
    assert order_book(book_snapshot(bids, asks)).problem() == words


def test_lists_of_different_length_are_a_problem() -> None:
    book = new_book()
    book.bids.prices.append(D(1))
    assert book.problem() == "expected as many amounts as prices, found 0 and 1"


def test_books_are_plain_to_hash() -> None:
    one, other = (order_book(book_snapshot([(98, amount)])) for amount in (1, 2))
    assert canonical_text(one) != canonical_text(other)
    other.update(book_update([("98.0", "1.00")], sequence=1))
    assert canonical_text(one) == canonical_text(other)
