from decimal import Decimal
from random import Random

from services.market.flow.params import Grid
from services.market.flow.top_of_book import TopOfBook, draw_lots
from tradebus.core.model.side import Side

GRID = Grid(Decimal("0.01"), Decimal("0.001"), ticks_min=5, lots_min=3)


def placed(fair: float = 1_000.0, half_spread: float = 4.0, seed: int = 1) -> TopOfBook:
    book = TopOfBook(GRID, 100.0, Random(seed))
    book.place(fair, half_spread)
    return book


def test_placing_quotes_both_sides_around_the_fair_price() -> None:
    book = placed()
    assert (book.bid, book.ask) == (996, 1_005)
    assert min(book.bid_lots, book.ask_lots) >= GRID.lots_min


def test_a_price_below_the_smallest_is_quoted_at_the_smallest() -> None:
    book = placed(fair=0.2, half_spread=3.0)
    assert book.bid == GRID.ticks_min
    assert book.ask == GRID.ticks_min + 1


def test_an_aggressor_trades_at_the_best_opposite_price_and_takes_from_it() -> None:
    book = placed()
    book.ask_lots = 50
    assert book.take(Side.BUY, 20, 4.0) == (1_005, 20)
    assert (book.ask, book.ask_lots) == (1_005, 30)
    book.bid_lots = 50
    assert book.take(Side.SELL, 20, 4.0) == (996, 20)
    assert (book.bid, book.bid_lots) == (996, 30)


def test_an_order_beyond_the_level_takes_it_whole_and_uncovers_a_worse_one() -> None:
    book = placed()
    standing = book.ask_lots
    assert book.take(Side.BUY, standing + 1_000, 4.0) == (1_005, standing)
    assert book.ask > 1_005
    assert book.ask_lots >= GRID.lots_min


def test_a_rest_below_the_smallest_quantity_is_taken_too() -> None:
    book = placed()
    book.bid_lots = 22
    assert book.take(Side.SELL, 20, 4.0) == (996, 22)
    assert book.bid < 996


def test_the_lowest_price_is_never_undercut() -> None:
    book = placed(fair=5.5, half_spread=0.5)
    for _ in range(50):
        book.take(Side.SELL, 1_000_000, 4.0)
        assert book.bid == GRID.ticks_min


def test_quotes_never_cross_whatever_the_fair_price_does() -> None:
    rng = Random(7)
    book = placed()
    for _ in range(5_000):
        book.quote(rng.uniform(-50, 2_000), rng.uniform(0.5, 40))
        assert GRID.ticks_min <= book.bid < book.ask
        assert min(book.bid_lots, book.ask_lots) >= GRID.lots_min


def test_sizes_are_mostly_small_and_sometimes_large() -> None:
    rng = Random(3)
    sizes = sorted(draw_lots(rng, 1_000.0, 3) for _ in range(20_000))
    assert 900 < sum(sizes) / len(sizes) < 1_100
    assert sizes[len(sizes) // 2] < 700
    assert sizes[-1] > 8_000
