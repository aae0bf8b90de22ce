"""Keep what the market last said of one instrument: best bid and ask, last trade, and whether it can be believed.

Source: barter 0.12.5 ``engine/state/instrument/data.rs``. Staleness is judged within one kind: an older trade says
nothing about the book. Of several trades with the same time the last one counts (the reference keeps the first).
"""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.market.event import BookL1, MarketEvent, PublicTrade
from tradebus.core.model.record import Record


@final
class InstrumentMarketData(Record):
    """The default data of an instrument. ``is_stale``: events were lost and nothing has come since."""

    FIELDS: ClassVar[tuple[str, ...]] = ("l1", "l1_time_ns", "price_last", "trade_time_ns", "is_stale")

    def __init__(
        self,
        l1: BookL1 | None,
        l1_time_ns: int,
        price_last: Decimal | None,
        trade_time_ns: int,
        is_stale: bool,
    ) -> None:
        self.l1 = l1
        self.l1_time_ns = l1_time_ns
        self.price_last = price_last
        self.trade_time_ns = trade_time_ns
        self.is_stale = is_stale

    def process(self, event: MarketEvent) -> None:
        """Take in one market event; older ones of the same kind are ignored."""
        data = event.data
        time = event.time_exchange_ns
        if isinstance(data, BookL1):
            if self.l1_time_ns < time:
                self.l1 = data
                self.l1_time_ns = time
        elif isinstance(data, PublicTrade) and (self.price_last is None or self.trade_time_ns <= time):
            self.price_last = data.price
            self.trade_time_ns = time
        self.is_stale = False

    def price(self) -> Decimal | None:
        """Return the micro price if both sides of the book are known, else the last traded price, else none.

        The micro price weighs each side's price by the other side's amount; where both amounts are zero it is the mid.
        """
        l1 = self.l1
        if l1 is not None and l1.best_bid is not None and l1.best_ask is not None:
            bid = l1.best_bid
            ask = l1.best_ask
            amount = bid.amount + ask.amount
            if not amount:
                return (bid.price + ask.price) / 2
            return (bid.price * ask.amount + ask.price * bid.amount) / amount
        return self.price_last
