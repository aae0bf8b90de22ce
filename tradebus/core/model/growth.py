"""Add instruments to a numbering without changing the numbers that are given: what a journal says stays true."""

from collections.abc import Iterable

from tradebus.core.model.asset import Asset
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import Instrument, InstrumentDefinition


def grown_index(before: IndexedInstruments, definitions: Iterable[InstrumentDefinition]) -> IndexedInstruments:
    """Return ``before`` with the instruments that it does not have behind its own, in the order of a fresh numbering.

    Instruments that are wanted no more keep their number. Raises AssetIndexError as ``index_instruments``.
    """
    known = {instrument.definition for instrument in before.instruments}
    added = index_instruments(definition for definition in definitions if definition not in known)
    index_instruments([*known, *(instrument.definition for instrument in added.instruments)])  # no two assets of a name
    exchanges = [*before.exchanges, *[exchange for exchange in added.exchanges if exchange not in before.exchanges]]
    assets = [*before.assets, *[asset for asset in added.assets if asset not in before.assets]]
    numbers = {(item.exchange, item.asset.name_internal): AssetIndex(i) for i, item in enumerate(assets)}

    def number(exchange: ExchangeId, asset: Asset) -> AssetIndex:
        return numbers[(exchange, asset.name_internal)]

    instruments = list(before.instruments)
    for instrument in added.instruments:
        definition = instrument.definition
        settlement = definition.contract.settlement
        instruments.append(
            Instrument(
                InstrumentIndex(len(instruments)),
                ExchangeIndex(exchanges.index(definition.exchange)),
                number(definition.exchange, definition.base),
                number(definition.exchange, definition.quote),
                number(definition.exchange, settlement) if settlement is not None else None,
                definition,
            )
        )
    return IndexedInstruments(exchanges, assets, instruments)
