"""Keep the book of one market level by level: the amounts offered at each price, best levels at hand.

Source: barter 0.12.5, barter-data ``books``; two levels with nothing on offer give the plain mid (the reference divides
by zero). A side is a pair of lists in ascending order of price: a change is found by bisection, costs no arithmetic,
and both lists are plain to hash and to store.
"""

from bisect import bisect_left
from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.market.event import BookL1, BookL2Snapshot, BookL2Update, Level
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side

DEPTH_MAX: Final = 5_000


@final
class BookSide(Record):
    """One side of a book. ``prices`` ascend on both sides, ``amounts`` stand at the same positions.

    At most ``depth_max`` levels are kept: of more the worst are forgotten, and found again with the next snapshot.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("side", "prices", "amounts", "depth_max")

    def __init__(self, side: Side, prices: list[Decimal], amounts: list[Decimal], depth_max: int) -> None:
        self.side: Final = side
        self.prices = prices
        self.amounts = amounts
        self.depth_max: Final = depth_max

    def __len__(self) -> int:
        """Return how many levels there are."""
        return len(self.prices)

    def replace(self, levels: tuple[Level, ...]) -> None:
        """Take these levels, in any order, for all there is; as the reference, equal prices are not merged."""
        given = list(levels)
        if self.side is Side.BUY:
            given.reverse()  # so that levels of one price come out, best first, in the order they were given
        given.sort(key=_price_of)
        self.prices = [level.price for level in given]
        self.amounts = [level.amount for level in given]
        self._forget_worst()

    def upsert(self, levels: tuple[Level, ...]) -> None:
        """Set the amount at each price, in order; an amount of 0 removes the level, if there is one."""
        prices = self.prices
        amounts = self.amounts
        for level in levels:
            price = level.price
            amount = level.amount
            i = bisect_left(prices, price)
            if i < len(prices) and prices[i] == price:
                if amount:
                    amounts[i] = amount
                else:
                    del prices[i]
                    del amounts[i]
            elif amount:
                prices.insert(i, price)
                amounts.insert(i, amount)
        if len(prices) > self.depth_max:
            self._forget_worst()

    def _forget_worst(self) -> None:
        count = len(self.prices) - self.depth_max
        if count <= 0:
            return
        if self.side is Side.BUY:
            del self.prices[:count]
            del self.amounts[:count]
        else:
            del self.prices[self.depth_max :]
            del self.amounts[self.depth_max :]

    def position(self, rank: int) -> int:
        """Return where the level of a rank stands in the lists; rank 0 is the best."""
        return len(self.prices) - 1 - rank if self.side is Side.BUY else rank

    def best(self) -> Level | None:
        """Return the best level, none if there is none."""
        return self.level(0) if self.prices else None

    def level(self, rank: int) -> Level:
        """Return the level of a rank, 0 being the best; raises IndexError where there is none."""
        if not 0 <= rank < len(self.prices):
            raise IndexError(f"expected a rank of 0 to {len(self.prices) - 1}, found {rank}")
        i = self.position(rank)
        return Level(self.prices[i], self.amounts[i])

    def levels(self, depth: int | None = None) -> list[Level]:
        """Return the best ``depth`` levels (all when none), best first."""
        count = len(self.prices)
        if depth is not None and depth < count:
            count = max(depth, 0)
        return [self.level(rank) for rank in range(count)]

    def amount_at(self, price: Decimal) -> Decimal:
        """Return the amount at a price, 0 where nothing is offered."""
        i = bisect_left(self.prices, price)
        if i < len(self.prices) and self.prices[i] == price:
            return self.amounts[i]
        return ZERO

    def amount_to(self, limit: Decimal) -> Decimal:
        """Return the sum of the amounts from the best price to ``limit``, that price included."""
        total = ZERO
        for rank in range(len(self.prices)):
            i = self.position(rank)
            price = self.prices[i]
            if price < limit if self.side is Side.BUY else price > limit:
                break
            total += self.amounts[i]
        return total

    def take(self, amount: Decimal) -> tuple[Decimal, Decimal]:
        """Return what a taker of ``amount`` gets: the amount filled, at most what is there, and its value in quote.

        The average price is their quotient.
        """
        filled = ZERO
        value = ZERO
        for rank in range(len(self.prices)):
            if filled >= amount:
                break
            i = self.position(rank)
            part = min(self.amounts[i], amount - filled)
            filled += part
            value += part * self.prices[i]
        return filled, value


def _price_of(level: Level) -> Decimal:
    return level.price


def book_side(side: Side, levels: tuple[Level, ...] = (), depth_max: int = DEPTH_MAX) -> BookSide:
    """Return a side with these levels, given in any order."""
    if depth_max < 1:
        raise ValueError(f"expected a depth of at least 1, found {depth_max}")
    made = BookSide(side, [], [], depth_max)
    made.replace(levels)
    return made


@final
class OrderBook(Record):
    """A book of two sides; ``sequence`` and ``time_engine_ns`` are the venue's, of the last change.

    It checks no sequence: what does not follow is found where the feed is read, or shows as a gap.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_engine_ns", "bids", "asks")

    def __init__(self, sequence: int, time_engine_ns: int | None, bids: BookSide, asks: BookSide) -> None:
        self.sequence = sequence
        self.time_engine_ns = time_engine_ns
        self.bids: Final = bids
        self.asks: Final = asks

    def replace(self, snapshot: BookL2Snapshot) -> None:
        """Take a snapshot for the whole book."""
        self.sequence = snapshot.sequence
        self.time_engine_ns = snapshot.time_engine_ns
        self.bids.replace(snapshot.bids)
        self.asks.replace(snapshot.asks)

    def update(self, update: BookL2Update) -> None:
        """Take in the levels that changed."""
        self.sequence = update.sequence
        self.time_engine_ns = update.time_engine_ns
        self.bids.upsert(update.bids)
        self.asks.upsert(update.asks)

    def best(self) -> BookL1:
        """Return the best bid and ask."""
        return BookL1(self.bids.best(), self.asks.best())

    def mid_price(self) -> Decimal | None:
        """Return the mean of best bid and ask; of a book with one side that side's best price, of an empty one none."""
        best = self.best()
        return _the_only_price(best) if best.best_bid is None or best.best_ask is None else best.mid_price()

    def volume_weighted_mid_price(self) -> Decimal | None:
        """Return the mid in which each best price weighs by the other side's amount; one-sided as ``mid_price``."""
        best = self.best()
        if best.best_bid is None or best.best_ask is None:
            return _the_only_price(best)
        return best.volume_weighted_mid_price()

    def spread(self) -> Decimal | None:
        """Return best ask less best bid, in quote; none unless both are there."""
        if not self.bids.prices or not self.asks.prices:
            return None
        return self.asks.prices[0] - self.bids.prices[-1]

    def snapshot(self, depth: int | None = None) -> BookL2Snapshot:
        """Return the best ``depth`` levels of each side (all when none), best first, with sequence and time."""
        return BookL2Snapshot(
            self.sequence, self.time_engine_ns, tuple(self.bids.levels(depth)), tuple(self.asks.levels(depth))
        )

    def problem(self) -> str:
        """Return what is wrong with the book, empty if nothing is: prices out of order, empty levels, crossed sides."""
        for side in (self.bids, self.asks):
            if len(side.prices) != len(side.amounts):
                return f"expected as many amounts as prices, found {len(side.amounts)} and {len(side.prices)}"
            for i, amount in enumerate(side.amounts):
                if i and not side.prices[i - 1] < side.prices[i]:
                    return f"expected ascending prices, found {side.prices[i]} after {side.prices[i - 1]}"
                if amount <= 0:
                    return f"expected an amount above 0 at {side.prices[i]}, found {amount}"
        spread = self.spread()
        if spread is not None and spread <= 0:
            return f"expected a best bid below the best ask, found {self.bids.prices[-1]} and {self.asks.prices[0]}"
        return ""


def _the_only_price(best: BookL1) -> Decimal | None:
    """Return the price of the side that is there."""
    only = best.best_ask if best.best_bid is None else best.best_bid
    return None if only is None else only.price


def new_book(depth_max: int = DEPTH_MAX) -> OrderBook:
    """Return a book of which nothing is known yet."""
    return OrderBook(0, None, book_side(Side.BUY, (), depth_max), book_side(Side.SELL, (), depth_max))


def order_book(snapshot: BookL2Snapshot, depth_max: int = DEPTH_MAX) -> OrderBook:
    """Return the book that a snapshot describes."""
    made = new_book(depth_max)
    made.replace(snapshot)
    return made
