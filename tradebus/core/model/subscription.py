"""Say what market data is wanted: which kind, of which instrument, of which exchange.

Source: barter 0.12.5, barter-data ``subscription``.
"""

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments, InstrumentIndexError
from tradebus.core.model.market_data_instrument import MarketDataInstrument, market_data_instrument
from tradebus.core.model.record import Record


class SubscriptionKind(Enum):
    """A kind of market data, by the reference's name for it."""

    PUBLIC_TRADES = "PublicTrades"
    ORDER_BOOKS_L1 = "OrderBooksL1"
    ORDER_BOOKS_L2 = "OrderBooksL2"
    ORDER_BOOKS_L3 = "OrderBooksL3"
    LIQUIDATIONS = "Liquidations"
    CANDLES = "Candles"


@final
class Subscription(Record):
    """One wish: a kind of data of an instrument of an exchange."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "instrument", "kind")

    def __init__(self, exchange: ExchangeId, instrument: MarketDataInstrument, kind: SubscriptionKind) -> None:
        self.exchange: Final = exchange
        self.instrument: Final = instrument
        self.kind: Final = kind

    def __str__(self) -> str:
        """Print ``(binance_spot|PublicTrades|btc_usdt_spot)``."""
        return f"({self.exchange.value}|{self.kind.value}|{self.instrument})"


def find_subscribed(index: IndexedInstruments, subscription: Subscription) -> InstrumentIndex:
    """Return the instrument that a subscription means, the first if several differ in size or settlement only.

    Raises AssetIndexError when the exchange does not have its base or quote asset, InstrumentIndexError when it has no
    such instrument of them.
    """
    exchange = subscription.exchange
    wanted = subscription.instrument
    base = index.find_asset_index(exchange, wanted.base)
    quote = index.find_asset_index(exchange, wanted.quote)
    for instrument in index.instruments:
        definition = instrument.definition
        if definition.exchange is not exchange or instrument.base != base or instrument.quote != quote:
            continue
        if wanted.contract.describes(definition.contract):
            return instrument.index
    raise InstrumentIndexError(f"InstrumentIndex: {exchange.display} has no instrument {wanted}")


def subscriptions_of(index: IndexedInstruments, kinds: Iterable[SubscriptionKind]) -> list[list[Subscription]]:
    """Return what to subscribe to for every instrument: one batch per exchange, in index order, each kind of each."""
    wanted = list(kinds)
    batches: list[list[Subscription]] = []
    for exchange in index.exchanges:
        instruments = index.instruments_of(index.find_exchange_index(exchange))
        batches.append(
            [
                Subscription(exchange, market_data_instrument(instrument.definition), kind)
                for instrument in instruments
                for kind in wanted
            ]
        )
    return batches
