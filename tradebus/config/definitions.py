"""From configured instruments to the core's."""

from collections.abc import Iterable
from decimal import Decimal

from tradebus.config.sections.instruments import (
    DerivativeKind,
    FutureKind,
    InstrumentSettings,
    InstrumentSpecSettings,
    OptionKind,
)
from tradebus.core.model import instrument as core
from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.growth import index_in_order
from tradebus.core.model.index import IndexedInstruments

_NS_PER_MS = 1_000_000


def indexed(instruments: Iterable[InstrumentSettings]) -> IndexedInstruments:
    """Return the numbering of the configured instruments, in the order of the file.

    So an instrument that is added behind the others changes no number that a journal has. Raises AssetIndexError on
    clashing asset names.
    """
    return index_in_order([definition(instrument) for instrument in instruments])


def definition(settings: InstrumentSettings) -> core.InstrumentDefinition:
    """Return the core's definition of one configured instrument. Raises ValueError when the core refuses it."""
    base = asset_from_name(settings.underlying.base)
    return core.InstrumentDefinition(
        settings.exchange,
        settings.name,
        settings.name_exchange,
        base,
        asset_from_name(settings.underlying.quote),
        core.QuoteKind[settings.quote.upper()],
        core.SPOT if settings.kind == "spot" else _contract(settings.kind),
        None if settings.spec is None else _spec(settings.spec, base),
    )


def _spec(settings: InstrumentSpecSettings, base: Asset) -> core.InstrumentSpec:
    unit = core.QuantityUnit[settings.quantity.unit.upper()]
    return core.InstrumentSpec(
        settings.price.min,
        settings.price.tick_size,
        unit,
        base if unit is core.QuantityUnit.ASSET else None,
        settings.quantity.min,
        settings.quantity.increment,
        settings.notional.min,
    )


def _contract(kind: DerivativeKind) -> core.InstrumentContract:
    terms = kind.perpetual or kind.future or kind.option
    assert terms is not None, "checked with the instrument"
    strike: Decimal | None = None
    right: core.OptionKind | None = None
    exercise: core.OptionExercise | None = None
    if isinstance(terms, OptionKind):
        strike = terms.strike
        right = core.OptionKind[terms.kind.upper()]
        exercise = core.OptionExercise[terms.exercise.upper()]
    return core.InstrumentContract(
        core.InstrumentKind[kind.name.upper()],
        terms.contract_size,
        asset_from_name(terms.settlement_asset),
        terms.expiry * _NS_PER_MS if isinstance(terms, FutureKind) else None,
        strike,
        right,
        exercise,
    )
