"""Show what the market says: public trades, best bids and asks."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from services.audit.api.views.base import View, tag_of
from services.audit.api.views.values import DecimalOrNone, DecimalText, SideName, TimeOrNever
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.market import event as core
from tradebus.core.model.record import Record


class LevelView(View):
    """One price with the amount offered at it."""

    SHOWS: ClassVar[type[Record]] = core.Level

    price: DecimalText
    amount: DecimalText


class PublicTradeView(View):
    """A trade between others; the side is the aggressor's."""

    SHOWS: ClassVar[type[Record]] = core.PublicTrade

    type: Literal["public_trade"] = "public_trade"
    id: str
    price: DecimalText
    amount: DecimalText
    side: SideName


class BookL1View(View):
    """The best bid and ask; null is an empty side."""

    SHOWS: ClassVar[type[Record]] = core.BookL1

    type: Literal["book_l1"] = "book_l1"
    best_bid: LevelView | None
    best_ask: LevelView | None


MarketDataView: TypeAlias = Annotated[
    Annotated[PublicTradeView, Tag("public_trade")] | Annotated[BookL1View, Tag("book_l1")],
    Discriminator(tag_of),
]


class InstrumentMarketDataView(View):
    """What the market last said of one instrument."""

    SHOWS: ClassVar[type[Record]] = InstrumentMarketData

    l1: BookL1View | None
    l1_time_exchange: TimeOrNever = Field(validation_alias="l1_time_ns")
    price_last: DecimalOrNone
    """Of the last public trade."""
    trade_time_exchange: TimeOrNever = Field(validation_alias="trade_time_ns")
    price: DecimalOrNone
    """The micro price where both sides are known, else the last traded price."""
    is_stale: bool
    """Events were lost, and nothing has come since."""
