"""Whatever happens to it, the book of many levels is what a plain map of prices says."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import Levels, book_snapshot, book_update
from tradebus.core.market.book import new_book

prices = st.integers(1, 30).map(lambda quarters: Decimal(quarters) / 4)
amounts = st.integers(0, 3).map(Decimal)
changes = st.lists(st.tuples(prices, amounts), max_size=8)
wholes = st.dictionaries(prices, st.integers(1, 5).map(Decimal), max_size=20).map(lambda levels: list(levels.items()))
steps = st.one_of(
    st.tuples(st.just("update"), changes, changes),
    st.tuples(st.just("update"), changes, changes),
    st.tuples(st.just("snapshot"), wholes, wholes),
)


def changed(model: dict[Decimal, Decimal], levels: Levels) -> None:
    for price, amount in levels:
        model.pop(Decimal(price), None)
        if amount:
            model[Decimal(price)] = Decimal(amount)


@given(st.lists(steps, max_size=30), st.integers(1, 20))
@examples(1000)
def test_a_book_is_what_a_map_of_prices_says(history: list[tuple[str, Levels, Levels]], depth: int) -> None:
    book = new_book()
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    for sequence, (kind, of_bids, of_asks) in enumerate(history):
        if kind == "snapshot":
            bids.clear()
            asks.clear()
            book.replace(book_snapshot(of_bids, of_asks, sequence))
        else:
            book.update(book_update(of_bids, of_asks, sequence))
        changed(bids, of_bids)
        changed(asks, of_asks)
        wanted = book_snapshot(sorted(bids.items(), reverse=True), sorted(asks.items()), sequence)
        assert book.snapshot() == wanted
        assert book.snapshot(depth).bids == wanted.bids[:depth]
        assert (len(book.bids), len(book.asks)) == (len(bids), len(asks))
        is_crossed = bool(bids and asks) and max(bids) >= min(asks)
        assert bool(book.problem()) == is_crossed


@given(st.lists(changes, max_size=20), st.integers(1, 6))
@examples(300)
def test_a_book_of_bounded_depth_keeps_the_best(history: list[Levels], depth: int) -> None:
    book = new_book(depth)
    seen: dict[Decimal, Decimal] = {}
    for of_bids in history:
        book.update(book_update(of_bids, of_bids))
        changed(seen, of_bids)
        for side in (book.bids, book.asks):
            assert len(side) <= depth
            # A level that was forgotten is missing until it is told again; what is there is right.
            assert all(seen[level.price] == level.amount for level in side.levels())
