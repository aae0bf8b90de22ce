"""Keep what the market last said of one instrument: best bid and ask, last trade, book, and what of it can be believed.

Source: barter 0.12.5 ``engine/state/instrument/data.rs``; the book of many levels is added. Staleness is judged within
one kind: an older trade says nothing about the book. Of several trades with the same time the last one counts (the
reference keeps the first). Candles and liquidations are left to user-defined data.
"""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.market.book import OrderBook, new_book
from tradebus.core.market.event import BookL1, BookL2Snapshot, BookL2Update, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.record import Record


@final
class InstrumentMarketData(Record):
    """The default data of an instrument. ``is_stale``: events were lost and nothing has come since.

    ``l2`` is none until levels come. ``is_l2_stale``: levels may be missing or wrong, because events were lost (or the
    book began with a change) and no snapshot has come since.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "l1",
        "l1_time_ns",
        "price_last",
        "trade_time_ns",
        "is_stale",
        "l2",
        "l2_time_ns",
        "is_l2_stale",
    )

    def __init__(
        self,
        l1: BookL1 | None,
        l1_time_ns: int,
        price_last: Decimal | None,
        trade_time_ns: int,
        is_stale: bool,
        l2: OrderBook | None,
        l2_time_ns: int,
        is_l2_stale: bool,
    ) -> None:
        self.l1 = l1
        self.l1_time_ns = l1_time_ns
        self.price_last = price_last
        self.trade_time_ns = trade_time_ns
        self.is_stale = is_stale
        self.l2 = l2
        self.l2_time_ns = l2_time_ns
        self.is_l2_stale = is_l2_stale

    def process(self, event: MarketEvent) -> None:
        """Take in one market event; older ones of the same kind are ignored."""
        data = event.data
        time = event.time_exchange_ns
        if isinstance(data, BookL1):
            if self.l1_time_ns < time:
                self.l1 = data
                self.l1_time_ns = time
        elif isinstance(data, PublicTrade):
            if self.price_last is None or self.trade_time_ns <= time:
                self.price_last = data.price
                self.trade_time_ns = time
        else:
            self._process_levels(data, time)
        self.is_stale = False

    def _process_levels(self, data: MarketData, time_ns: int) -> None:
        """Take in levels unless they are older than the book; of equal times all count, as changes come in bursts."""
        book = self.l2
        if book is not None and time_ns < self.l2_time_ns:
            return
        if isinstance(data, BookL2Update):
            if book is None:
                book = new_book()
                self.is_l2_stale = True
            book.update(data)
        elif isinstance(data, BookL2Snapshot):
            if book is None:
                book = new_book()
            book.replace(data)
            self.is_l2_stale = False
        else:
            return
        self.l2 = book
        self.l2_time_ns = time_ns

    def mark_stale(self) -> None:
        """Note that events were lost."""
        self.is_stale = True
        if self.l2 is not None:
            self.is_l2_stale = True

    def price(self) -> Decimal | None:
        """Return the micro price if both best prices are known, else the last traded price, else none.

        As in the reference the best prices are those of the L1 feed; ``book_price`` is that of the levels.
        """
        micro = None if self.l1 is None else self.l1.volume_weighted_mid_price()
        return self.price_last if micro is None else micro

    def book_price(self) -> Decimal | None:
        """Return the micro price of the levels; none unless both sides are there and nothing was lost."""
        book = self.l2
        if book is None or self.is_l2_stale or not book.bids.prices or not book.asks.prices:
            return None
        return book.volume_weighted_mid_price()


def new_market_data() -> InstrumentMarketData:
    """Return the data of an instrument of which the market has said nothing yet."""
    return InstrumentMarketData(None, 0, None, 0, False, None, 0, False)
