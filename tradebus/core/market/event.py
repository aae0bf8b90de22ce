"""Describe what happens on a market: public trades, books, candles and liquidations.

Source: barter 0.12.5, barter-data ``event`` and ``subscription``; prices are exact decimals throughout.
A market event is an engine event itself, so nothing is wrapped on the hot path.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


class MarketData(Record):
    """Base of what a market event can carry."""

    FIELDS: ClassVar[tuple[str, ...]] = ()


@final
class PublicTrade(MarketData):
    """A trade between others. ``side`` is the aggressor's; price in quote, amount in base (or contracts)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "price", "amount", "side")

    def __init__(self, id: str, price: Decimal, amount: Decimal, side: Side) -> None:
        self.id: Final = id
        self.price: Final = price
        self.amount: Final = amount
        self.side: Final = side


@final
class Level(Record):
    """One price of a book with the amount offered at it."""

    FIELDS: ClassVar[tuple[str, ...]] = ("price", "amount")

    def __init__(self, price: Decimal, amount: Decimal) -> None:
        self.price: Final = price
        self.amount: Final = amount


@final
class BookL1(MarketData):
    """The best bid and ask; a side that is empty is none."""

    FIELDS: ClassVar[tuple[str, ...]] = ("best_bid", "best_ask")

    def __init__(self, best_bid: Level | None, best_ask: Level | None) -> None:
        self.best_bid: Final = best_bid
        self.best_ask: Final = best_ask

    def mid_price(self) -> Decimal | None:
        """Return the mean of the two prices; none unless both sides are there."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid.price + ask.price) / 2

    def volume_weighted_mid_price(self) -> Decimal | None:
        """Return the micro price; none unless both sides are there.

        Each side's price weighs by the other side's amount; where both amounts are zero it is the mid.
        """
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None:
            return None
        amount = bid.amount + ask.amount
        if not amount:
            return (bid.price + ask.price) / 2
        return (bid.price * ask.amount + ask.price * bid.amount) / amount


@final
class BookL2Snapshot(MarketData):
    """A whole book of prices with their amounts; replaces what was known. Levels may come in any order.

    ``sequence`` is the venue's number of the book, ``time_engine_ns`` when its matching engine made it, if it says so.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_engine_ns", "bids", "asks")

    def __init__(
        self, sequence: int, time_engine_ns: int | None, bids: tuple[Level, ...], asks: tuple[Level, ...]
    ) -> None:
        self.sequence: Final = sequence
        self.time_engine_ns: Final = time_engine_ns
        self.bids: Final = bids
        self.asks: Final = asks


@final
class BookL2Update(MarketData):
    """The levels of a book that changed: the amount now offered at a price, 0 where nothing is any more."""

    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_engine_ns", "bids", "asks")

    def __init__(
        self, sequence: int, time_engine_ns: int | None, bids: tuple[Level, ...], asks: tuple[Level, ...]
    ) -> None:
        self.sequence: Final = sequence
        self.time_engine_ns: Final = time_engine_ns
        self.bids: Final = bids
        self.asks: Final = asks


@final
class Candle(MarketData):
    """What was traded in an interval that ended at ``close_time_ns``: prices in quote, volume in base or contracts."""

    FIELDS: ClassVar[tuple[str, ...]] = ("close_time_ns", "open", "high", "low", "close", "volume", "trade_count")

    def __init__(
        self,
        close_time_ns: int,
        open: Decimal,  # noqa: A002 - the field's term
        high: Decimal,
        low: Decimal,
        close: Decimal,
        volume: Decimal,
        trade_count: int,
    ) -> None:
        self.close_time_ns: Final = close_time_ns
        self.open: Final = open
        self.high: Final = high
        self.low: Final = low
        self.close: Final = close
        self.volume: Final = volume
        self.trade_count: Final = trade_count


@final
class Liquidation(MarketData):
    """A position that the venue closed by force; ``side`` is the closing order's, quantity in base (or contracts)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("side", "price", "quantity")

    def __init__(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        self.side: Final = side
        self.price: Final = price
        self.quantity: Final = quantity


@final
class MarketEvent(EngineEvent):
    """One item of a venue's feed.

    ``time_exchange_ns`` is the venue's time (the receive time where it sends none), ``time_received_ns`` ours; both
    nanoseconds since the epoch. ``sequence`` counts the instrument's events of one publisher, from 1 (0: not counted).
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "time_exchange_ns",
        "time_received_ns",
        "exchange",
        "instrument",
        "sequence",
        "data",
    )

    def __init__(
        self,
        time_exchange_ns: int,
        time_received_ns: int,
        exchange: ExchangeIndex,
        instrument: InstrumentIndex,
        sequence: int,
        data: MarketData,
    ) -> None:
        self.time_exchange_ns: Final = time_exchange_ns
        self.time_received_ns: Final = time_received_ns
        self.exchange: Final = exchange
        self.instrument: Final = instrument
        self.sequence: Final = sequence
        self.data: Final = data


@final
class MarketReconnecting(EngineEvent):
    """The feed of an exchange was lost and is being restored."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "reason")

    def __init__(self, exchange: ExchangeIndex, reason: str) -> None:
        self.exchange: Final = exchange
        self.reason: Final = reason


@final
class MarketGap(EngineEvent):
    """Events of one instrument were lost between market and engine: sequences ``first_missing`` to ``last_missing``."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "instrument", "first_missing", "last_missing")

    def __init__(
        self, exchange: ExchangeIndex, instrument: InstrumentIndex, first_missing: int, last_missing: int
    ) -> None:
        self.exchange: Final = exchange
        self.instrument: Final = instrument
        self.first_missing: Final = first_missing
        self.last_missing: Final = last_missing
