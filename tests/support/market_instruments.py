"""Instruments for tests of market data: the simulated exchanges', and spot ones of real venues."""

from collections.abc import Iterable
from decimal import Decimal

from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import InstrumentDefinition, InstrumentSpec, QuantityUnit, spot

SIMULATED = (ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA)


def definition(
    exchange: ExchangeId, base: str, quote: str = "usdt", spec: InstrumentSpec | None = None
) -> InstrumentDefinition:
    """Return a spot instrument under the venue's usual name, ``BTCUSDT``."""
    return spot(exchange, (base + quote).upper(), asset_from_name(base.upper()), asset_from_name(quote.upper()), spec)


def steps(tick: str, lot: str, *, price_min: str = "0", quantity_min: str = "0") -> InstrumentSpec:
    """Return a specification with these steps and minima, quantities in base."""
    numbers = [Decimal(text) for text in (price_min, tick, quantity_min, lot)]
    return InstrumentSpec(numbers[0], numbers[1], QuantityUnit.ASSET, None, numbers[2], numbers[3], Decimal(0))


def simulated_index(bases: Iterable[str] = ("btc", "eth", "sol")) -> IndexedInstruments:
    """Return the bases against usdt on both simulated exchanges."""
    return index_instruments([definition(exchange, base) for base in bases for exchange in SIMULATED])


def spot_index(exchange: ExchangeId, *bases: str) -> IndexedInstruments:
    """Return the bases against usdt on one exchange."""
    return index_instruments([definition(exchange, base) for base in bases])
