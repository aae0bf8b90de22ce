"""Keep what a simulated exchange knows of one market: the best bid and ask, with what our own orders took of them."""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.market.event import BookL1
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


@final
class TopOfBook(Record):
    """The opposite side a taker meets: price and amount left of each side; none where nothing is offered.

    Until the next book update an amount that our orders took stays taken, so that two orders do not fill against the
    same offer. Where no book was ever seen, not even an empty one (``is_quoted``), the last trade's price stands in,
    without limit of amount.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "bid_price",
        "bid_amount",
        "ask_price",
        "ask_amount",
        "price_last",
        "is_quoted",
    )

    def __init__(
        self,
        bid_price: Decimal | None,
        bid_amount: Decimal,
        ask_price: Decimal | None,
        ask_amount: Decimal,
        price_last: Decimal | None,
        is_quoted: bool,
    ) -> None:
        self.bid_price = bid_price
        self.bid_amount = bid_amount
        self.ask_price = ask_price
        self.ask_amount = ask_amount
        self.price_last = price_last
        self.is_quoted = is_quoted

    def copied(self) -> "TopOfBook":
        """Return the book as it is now."""
        return TopOfBook(
            self.bid_price, self.bid_amount, self.ask_price, self.ask_amount, self.price_last, self.is_quoted
        )

    def update(self, l1: BookL1) -> None:
        """Take in a book update."""
        bid = l1.best_bid
        ask = l1.best_ask
        self.is_quoted = True
        self.bid_price = None if bid is None else bid.price
        self.bid_amount = ZERO if bid is None else bid.amount
        self.ask_price = None if ask is None else ask.price
        self.ask_amount = ZERO if ask is None else ask.amount

    def taker_price(self, side: Side) -> Decimal | None:
        """Return the price at which an order of this side would fill at once, none if nothing is offered."""
        price = self.ask_price if side is Side.BUY else self.bid_price
        if price is None and not self.is_quoted:
            return self.price_last
        return price

    def taker_amount(self, side: Side, wanted: Decimal) -> Decimal:
        """Return how much of ``wanted`` is on offer at the taker price."""
        if not self.is_quoted:
            return wanted
        amount = self.ask_amount if side is Side.BUY else self.bid_amount
        return min(wanted, amount)

    def take(self, side: Side, amount: Decimal) -> None:
        """Note that one of our orders took an amount."""
        if not self.is_quoted:
            return
        if side is Side.BUY:
            self.ask_amount -= amount
        else:
            self.bid_amount -= amount

    def displayed(self, side: Side, price: Decimal) -> Decimal | None:
        """Return the amount shown on our own side at a price, which queues before us; none if it is not the best."""
        best = self.bid_price if side is Side.BUY else self.ask_price
        if best is None or best != price:
            return None
        return self.bid_amount if side is Side.BUY else self.ask_amount


def empty_book() -> TopOfBook:
    """Return the book of a market of which nothing was seen."""
    return TopOfBook(None, ZERO, None, ZERO, None, False)
