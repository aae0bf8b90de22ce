"""Show what the market says: public trades, books, candles, liquidations."""

from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from services.audit.api.views.base import View, tag_of
from services.audit.api.views.values import DecimalOrNone, DecimalText, SideName, Time, TimeOrNever, TimeOrNone
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.market import event as core
from tradebus.core.market.book import BookSide, OrderBook
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


class BookL2SnapshotView(View):
    """A whole book."""

    SHOWS: ClassVar[type[Record]] = core.BookL2Snapshot

    type: Literal["book_l2_snapshot"] = "book_l2_snapshot"
    sequence: int
    """The venue's number of the book."""
    time_engine: TimeOrNone = Field(validation_alias="time_engine_ns")
    """When the venue's matching engine made it, if the venue says so."""
    bids: list[LevelView]
    asks: list[LevelView]


class BookL2UpdateView(View):
    """The levels of a book that changed; an amount of 0 removes a level."""

    SHOWS: ClassVar[type[Record]] = core.BookL2Update

    type: Literal["book_l2_update"] = "book_l2_update"
    sequence: int
    """The venue's number of the book after the change."""
    time_engine: TimeOrNone = Field(validation_alias="time_engine_ns")
    """When the venue's matching engine made it, if the venue says so."""
    bids: list[LevelView]
    asks: list[LevelView]


class CandleView(View):
    """What was traded in an interval."""

    SHOWS: ClassVar[type[Record]] = core.Candle

    type: Literal["candle"] = "candle"
    close_time: Time = Field(validation_alias="close_time_ns")
    open: DecimalText
    high: DecimalText
    low: DecimalText
    close: DecimalText
    volume: DecimalText
    trade_count: int


class LiquidationView(View):
    """A position that the venue closed by force; the side is the closing order's."""

    SHOWS: ClassVar[type[Record]] = core.Liquidation

    type: Literal["liquidation"] = "liquidation"
    side: SideName
    price: DecimalText
    quantity: DecimalText


MarketDataView: TypeAlias = Annotated[
    Annotated[PublicTradeView, Tag("public_trade")]
    | Annotated[BookL1View, Tag("book_l1")]
    | Annotated[BookL2SnapshotView, Tag("book_l2_snapshot")]
    | Annotated[BookL2UpdateView, Tag("book_l2_update")]
    | Annotated[CandleView, Tag("candle")]
    | Annotated[LiquidationView, Tag("liquidation")],
    Discriminator(tag_of),
]

DEPTH_SHOWN: Final = 20


def _best_levels(side: object) -> object:
    return side.levels(DEPTH_SHOWN) if isinstance(side, BookSide) else side


class OrderBookView(View):
    """The best 20 levels of each side of a book, best first."""

    SHOWS: ClassVar[type[Record]] = OrderBook

    sequence: int
    """The venue's number of the book."""
    time_engine: TimeOrNone = Field(validation_alias="time_engine_ns")
    """When the venue's matching engine made it, if the venue says so."""
    bids: Annotated[list[LevelView], BeforeValidator(_best_levels)]
    asks: Annotated[list[LevelView], BeforeValidator(_best_levels)]


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
    l2: OrderBookView | None
    """Null until levels come."""
    l2_time_exchange: TimeOrNever = Field(validation_alias="l2_time_ns")
    is_l2_stale: bool
    """Levels may be missing or wrong: events were lost, and no snapshot has come since."""
