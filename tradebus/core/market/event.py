"""Describe what happens on a market: public trades and the best bid and ask.

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
