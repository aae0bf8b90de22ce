"""Map between one exchange's own names and our indices, both ways.

Names are the venue's, verbatim and case-sensitive. From a name only this exchange's assets and instruments are found;
from an index those of every exchange, as in the reference. Where two instruments of the exchange share a name the later
index is found.

Source: barter 0.12.5, barter-execution ``map``.
"""

from typing import Final, final

from tradebus.core.execution.error import AssetKeyError, ExchangeKeyError, InstrumentKeyError
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import (
    AssetIndexError,
    ExchangeIndexError,
    IndexedInstruments,
    InstrumentIndexError,
)


@final
class ExecutionInstrumentMap:
    """The names of one exchange. Raises ExchangeIndexError for an exchange that is not indexed."""

    def __init__(self, index: IndexedInstruments, exchange: ExchangeId) -> None:
        self.index: Final = index
        self.exchange: Final = exchange
        self.exchange_index: Final = index.find_exchange_index(exchange)
        assets: dict[str, AssetIndex] = {}
        for i, item in enumerate(index.assets):
            if item.exchange is exchange:
                assets[item.asset.name_exchange] = AssetIndex(i)
        self._assets: Final = assets
        instruments: dict[str, InstrumentIndex] = {}
        for instrument in index.instruments:
            if instrument.exchange == self.exchange_index:
                instruments[instrument.definition.name_exchange] = instrument.index
        self._instruments: Final = instruments

    def find_exchange_id(self, index: ExchangeIndex) -> ExchangeId:
        """Return the exchange at an index, which must be this one; raises ExchangeKeyError."""
        if index != self.exchange_index:
            raise ExchangeKeyError(f"ExchangeId: expected {self.exchange_index} ({self.exchange.value}), found {index}")
        return self.exchange

    def find_exchange_index(self, exchange: ExchangeId) -> ExchangeIndex:
        """Return the index of an exchange, which must be this one; raises ExchangeIndexError."""
        if exchange is not self.exchange:
            raise ExchangeIndexError(f"ExchangeIndex: expected {self.exchange.display}, found {exchange.display}")
        return self.exchange_index

    def find_asset_name_exchange(self, index: AssetIndex) -> str:
        """Return the venue's name of an asset of any exchange; raises AssetKeyError."""
        if not 0 <= index < len(self.index.assets):
            raise AssetKeyError(f"AssetKey: expected 0 to {len(self.index.assets) - 1}, found {index}")
        return self.index.assets[index].asset.name_exchange

    def find_asset_index(self, name_exchange: str) -> AssetIndex:
        """Return the index of this exchange's asset of that name; raises AssetIndexError."""
        found = self._assets.get(name_exchange)
        if found is None:
            raise AssetIndexError(f"AssetIndex: {self.exchange.display} has no asset called {name_exchange!r}")
        return found

    def find_instrument_name_exchange(self, index: InstrumentIndex) -> str:
        """Return the venue's name of an instrument of any exchange; raises InstrumentKeyError."""
        if not 0 <= index < len(self.index.instruments):
            raise InstrumentKeyError(f"InstrumentKey: expected 0 to {len(self.index.instruments) - 1}, found {index}")
        return self.index.instruments[index].definition.name_exchange

    def find_instrument_index(self, name_exchange: str) -> InstrumentIndex:
        """Return the index of this exchange's instrument of that name; raises InstrumentIndexError."""
        found = self._instruments.get(name_exchange)
        if found is None:
            raise InstrumentIndexError(
                f"InstrumentIndex: {self.exchange.display} has no instrument called {name_exchange!r}"
            )
        return found

    def own_instrument_name(self, index: InstrumentIndex) -> str:
        """Return the venue's name of an instrument of this exchange; raises InstrumentKeyError for any other's."""
        name = self.find_instrument_name_exchange(index)
        exchange = self.index.instruments[index].definition.exchange
        if exchange is not self.exchange:
            raise InstrumentKeyError(
                f"InstrumentKey: {index} ({name}) is of {exchange.display}, not of {self.exchange.display}"
            )
        return name

    def exchange_assets(self) -> list[str]:
        """Return the venue's names of this exchange's assets, in index order."""
        return list(self._assets)

    def exchange_instruments(self) -> list[str]:
        """Return the venue's names of this exchange's instruments, in index order."""
        return list(self._instruments)
