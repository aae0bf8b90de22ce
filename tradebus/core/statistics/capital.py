"""Capital base: what there was to trade with, by currency."""

from collections.abc import Mapping
from decimal import Decimal

from tradebus.core.engine.event import AccountSetup
from tradebus.core.engine.state.payoff import pnl_asset
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.number import ZERO, check_decimal


def currency_of(index: IndexedInstruments, instrument: Instrument) -> str:
    """Return the name of the asset that an instrument's profits are in."""
    return index.assets[pnl_asset(instrument)].asset.name_internal


def currencies_of(index: IndexedInstruments) -> list[str]:
    """Return every currency that profits can be in, names in order."""
    return sorted({currency_of(index, instrument) for instrument in index.instruments})


def capital_of(index: IndexedInstruments, accounts: tuple[AccountSetup, ...]) -> dict[str, Decimal]:
    """Return what simulated accounts start with of each currency, added over exchanges; 0 where they have none."""
    capital = dict.fromkeys(currencies_of(index), ZERO)
    for account in accounts:
        if account.simulation is not None:
            for asset, amount in account.simulation.balances:
                name = index.assets[asset].asset.name_internal
                if name in capital:
                    capital[name] += amount
    return capital


def checked_capital(index: IndexedInstruments, capital: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return a capital base for every currency, 0 for those not named.

    Raises ValueError for a name that is no currency or an amount below 0, NumberError for what is no number.
    """
    names = currencies_of(index)
    for name, amount in capital.items():
        if name not in names:
            raise ValueError(f"expected a currency of {names}, found {name!r}")
        if check_decimal(amount) < ZERO:
            raise ValueError(f"expected a capital of 0 or more {name}, found {amount}")
    return {name: capital.get(name, ZERO) for name in names}
