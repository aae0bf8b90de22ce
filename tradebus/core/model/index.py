"""Number exchanges, assets and instruments once, so that state is a list reached by position.

Source: barter 0.12.5, barter-instrument ``index``. Indices are stable for a given set of instruments; ``fingerprint``
names the set, so that a journal or message made under another numbering is refused instead of misread.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import ClassVar, Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.identifiers import (
    AssetIndex,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
    exchange_order,
)
from tradebus.core.model.instrument import Instrument, InstrumentDefinition, InstrumentSpec
from tradebus.core.model.number import ZERO, decimal_text
from tradebus.core.model.record import Record, field_values


@mypyc_attr(native_class=False)
class NotIndexedError(LookupError):
    """Base of failed look-ups in the index; the message begins with the kind, as the reference prints it."""


@mypyc_attr(native_class=False)
class ExchangeIndexError(NotIndexedError):
    """An exchange that is not in the index."""


@mypyc_attr(native_class=False)
class AssetIndexError(NotIndexedError):
    """An asset that is not in the index."""


@mypyc_attr(native_class=False)
class InstrumentIndexError(NotIndexedError):
    """An instrument that is not in the index."""


def _asset_key(item: ExchangeAsset) -> tuple[int, str, str]:
    return (exchange_order(item.exchange), item.asset.name_internal, item.asset.name_exchange)


def _text(value: object) -> str:
    """Write a part of a definition unambiguously; equal numbers alike, however a configuration writes them."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Record):
        return f"{type(value).__name__}({','.join([_text(part) for part in field_values(value)])})"
    return repr(value)


def _instrument_key(item: InstrumentDefinition) -> tuple[object, ...]:
    contract = item.contract
    settlement = contract.settlement
    spec = item.spec
    return (
        exchange_order(item.exchange),
        item.name_internal,
        item.name_exchange,
        item.base.name_internal,
        item.base.name_exchange,
        item.quote.name_internal,
        item.quote.name_exchange,
        item.quote_kind.value,
        contract.kind.value,
        contract.contract_size,
        (settlement.name_internal, settlement.name_exchange) if settlement is not None else ("", ""),
        contract.option_kind.value if contract.option_kind is not None else 0,
        contract.option_exercise.value if contract.option_exercise is not None else 0,
        contract.expiry_ns if contract.expiry_ns is not None else 0,
        contract.strike if contract.strike is not None else ZERO,
        *_spec_key(spec),
    )


def _spec_key(spec: InstrumentSpec | None) -> tuple[object, ...]:
    """Order specifications, none first, then by their fields as the reference declares them."""
    if spec is None:
        return (False,)
    asset = spec.quantity_asset
    return (
        True,
        spec.price_min,
        spec.tick_size,
        spec.quantity_unit.value,
        (asset.name_internal, asset.name_exchange) if asset is not None else ("", ""),
        spec.quantity_min,
        spec.lot_size,
        spec.notional_min,
    )


@final
class IndexedInstruments(Record):
    """The immutable numbering of one run: exchanges, assets and instruments by index."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchanges", "assets", "instruments")

    def __init__(self, exchanges: list[ExchangeId], assets: list[ExchangeAsset], instruments: list[Instrument]) -> None:
        self.exchanges: Final = exchanges
        self.assets: Final = assets
        self.instruments: Final = instruments
        self._exchange_index: Final = {exchange: ExchangeIndex(i) for i, exchange in enumerate(exchanges)}
        asset_index: dict[tuple[ExchangeId, str], AssetIndex] = {}
        for i, item in enumerate(assets):
            asset_index.setdefault((item.exchange, item.asset.name_internal), AssetIndex(i))
        self._asset_index: Final = asset_index
        by_name: dict[tuple[ExchangeId, str], InstrumentIndex] = {}
        by_exchange_name: dict[tuple[ExchangeId, str], InstrumentIndex] = {}
        for i, instrument in enumerate(instruments):
            definition = instrument.definition
            by_name.setdefault((definition.exchange, definition.name_internal), InstrumentIndex(i))
            by_exchange_name.setdefault((definition.exchange, definition.name_exchange), InstrumentIndex(i))
        self._instrument_index: Final = by_name
        self._name_exchange_index: Final = by_exchange_name
        self._fingerprint = ""

    def find_exchange_index(self, exchange: ExchangeId) -> ExchangeIndex:
        """Return the index of an exchange; raises ExchangeIndexError."""
        found = self._exchange_index.get(exchange)
        if found is None:
            raise ExchangeIndexError(
                f"ExchangeIndex: {exchange.display} is not one of {[e.value for e in self.exchanges]}"
            )
        return found

    def find_exchange(self, index: ExchangeIndex) -> ExchangeId:
        """Return the exchange at an index; raises ExchangeIndexError."""
        if not 0 <= index < len(self.exchanges):
            raise ExchangeIndexError(f"ExchangeIndex: expected 0 to {len(self.exchanges) - 1}, found {index}")
        return self.exchanges[index]

    def find_asset_index(self, exchange: ExchangeId, name_internal: str) -> AssetIndex:
        """Return the index of an asset by exchange and internal name (any case); raises AssetIndexError."""
        found = self._asset_index.get((exchange, name_internal.lower()))
        if found is None:
            raise AssetIndexError(f"AssetIndex: {exchange.display} has no asset {name_internal!r}")
        return found

    def find_asset(self, index: AssetIndex) -> ExchangeAsset:
        """Return the asset at an index; raises AssetIndexError."""
        if not 0 <= index < len(self.assets):
            raise AssetIndexError(f"AssetIndex: expected 0 to {len(self.assets) - 1}, found {index}")
        return self.assets[index]

    def find_instrument_index(self, exchange: ExchangeId, name_internal: str) -> InstrumentIndex:
        """Return the first instrument of that exchange and internal name (any case); raises InstrumentIndexError."""
        found = self._instrument_index.get((exchange, name_internal.lower()))
        if found is None:
            raise InstrumentIndexError(f"InstrumentIndex: {exchange.display} has no instrument {name_internal!r}")
        return found

    def find_instrument_by_symbol(self, exchange: ExchangeId, name_exchange: str) -> InstrumentIndex:
        """Return the instrument that the venue calls ``name_exchange`` (verbatim); raises InstrumentIndexError."""
        found = self._name_exchange_index.get((exchange, name_exchange))
        if found is None:
            raise InstrumentIndexError(
                f"InstrumentIndex: {exchange.display} has no instrument called {name_exchange!r}"
            )
        return found

    def find_instrument(self, index: InstrumentIndex) -> Instrument:
        """Return the instrument at an index; raises InstrumentIndexError."""
        if not 0 <= index < len(self.instruments):
            raise InstrumentIndexError(f"InstrumentIndex: expected 0 to {len(self.instruments) - 1}, found {index}")
        return self.instruments[index]

    def instruments_of(self, exchange: ExchangeIndex) -> list[Instrument]:
        """Return the instruments of one exchange, in index order."""
        return [instrument for instrument in self.instruments if instrument.exchange == exchange]

    def fingerprint(self) -> str:
        """Return a short text that differs between any two numberings (BLAKE2b-64, hex); computed once."""
        if not self._fingerprint:
            self._fingerprint = self._digest()
        return self._fingerprint

    def _digest(self) -> str:
        digest = blake2b(digest_size=8)
        for exchange in self.exchanges:
            digest.update(exchange.value.encode())
            digest.update(b"\n")
        for item in self.assets:
            digest.update(_text(item).encode())
        for instrument in self.instruments:
            digest.update(_text(instrument.definition).encode())
        return digest.hexdigest()


def assets_of(definition: InstrumentDefinition) -> list[ExchangeAsset]:
    """Return the assets that an instrument needs on its exchange: base, quote, settlement, unit of the quantity."""
    assets = [definition.base, definition.quote]
    if definition.contract.settlement is not None:
        assets.append(definition.contract.settlement)
    if definition.spec is not None and definition.spec.quantity_asset is not None:
        assets.append(definition.spec.quantity_asset)
    return [ExchangeAsset(definition.exchange, asset) for asset in assets]


def index_instruments(definitions: Iterable[InstrumentDefinition]) -> IndexedInstruments:
    """Sort, deduplicate and number the instruments with their exchanges and assets; input order never matters.

    Exchanges sort by declaration, assets by (exchange, internal name, exchange name), instruments field by field.

    Raises AssetIndexError when one exchange has two assets of the same internal name but different exchange names,
    because every instrument would silently resolve to the first.
    """
    unique = sorted(set(definitions), key=_instrument_key)
    exchanges = sorted({definition.exchange for definition in unique}, key=exchange_order)
    assets = sorted({asset for definition in unique for asset in assets_of(definition)}, key=_asset_key)
    numbers: dict[tuple[ExchangeId, str], AssetIndex] = {}
    for i, item in enumerate(assets):
        key = (item.exchange, item.asset.name_internal)
        if key in numbers:
            raise AssetIndexError(
                f"AssetIndex: {item.exchange.display} has two assets called {item.asset.name_internal!r}: "
                f"{assets[numbers[key]].asset.name_exchange!r} and {item.asset.name_exchange!r}"
            )
        numbers[key] = AssetIndex(i)

    def asset_number(exchange: ExchangeId, asset: Asset) -> AssetIndex:
        return numbers[(exchange, asset.name_internal)]

    instruments: list[Instrument] = []
    for i, definition in enumerate(unique):
        settlement = definition.contract.settlement
        instruments.append(
            Instrument(
                InstrumentIndex(i),
                ExchangeIndex(exchanges.index(definition.exchange)),
                asset_number(definition.exchange, definition.base),
                asset_number(definition.exchange, definition.quote),
                asset_number(definition.exchange, settlement) if settlement is not None else None,
                definition,
            )
        )
    return IndexedInstruments(exchanges, assets, instruments)
