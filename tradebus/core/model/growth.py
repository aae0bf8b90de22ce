"""Numberings that can grow: what was given a number keeps it, so that what a journal says stays true."""

from collections.abc import Iterable, Sequence

from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments, assets_of, index_instruments
from tradebus.core.model.instrument import Instrument, InstrumentDefinition


def index_in_order(definitions: Iterable[InstrumentDefinition]) -> IndexedInstruments:
    """Give instruments, their exchanges and assets numbers as they first appear: one added behind changes no number.

    Raises AssetIndexError as ``index_instruments``.
    """
    unique = list(dict.fromkeys(definitions))
    index_instruments(unique)  # no two assets of a name
    exchanges = list(dict.fromkeys(definition.exchange for definition in unique))
    assets = list(dict.fromkeys(asset for definition in unique for asset in assets_of(definition)))
    return _numbered(exchanges, assets, [], unique)


def grown_index(before: IndexedInstruments, definitions: Iterable[InstrumentDefinition]) -> IndexedInstruments:
    """Return ``before`` with the instruments that it does not have behind its own, in the order of a fresh numbering.

    Instruments that are wanted no more keep their number. Raises AssetIndexError as ``index_instruments``.
    """
    known = {instrument.definition for instrument in before.instruments}
    added = index_instruments(definition for definition in definitions if definition not in known)
    index_instruments([*known, *(instrument.definition for instrument in added.instruments)])  # no two assets of a name
    exchanges = [*before.exchanges, *[exchange for exchange in added.exchanges if exchange not in before.exchanges]]
    assets = [*before.assets, *[asset for asset in added.assets if asset not in before.assets]]
    return _numbered(exchanges, assets, before.instruments, [instrument.definition for instrument in added.instruments])


def _numbered(
    exchanges: list[ExchangeId],
    assets: list[ExchangeAsset],
    before: Sequence[Instrument],
    definitions: Sequence[InstrumentDefinition],
) -> IndexedInstruments:
    """Return a numbering of these exchanges and assets, with the instruments of these definitions behind others."""
    numbers = {(item.exchange, item.asset.name_internal): AssetIndex(i) for i, item in enumerate(assets)}
    places = {exchange: ExchangeIndex(i) for i, exchange in enumerate(exchanges)}

    def number(exchange: ExchangeId, asset: Asset) -> AssetIndex:
        return numbers[(exchange, asset.name_internal)]

    instruments = list(before)
    for definition in definitions:
        settlement = definition.contract.settlement
        instruments.append(
            Instrument(
                InstrumentIndex(len(instruments)),
                places[definition.exchange],
                number(definition.exchange, definition.base),
                number(definition.exchange, definition.quote),
                number(definition.exchange, settlement) if settlement is not None else None,
                definition,
            )
        )
    return IndexedInstruments(exchanges, assets, instruments)
