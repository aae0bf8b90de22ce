"""Say what an instrument pays: how a price and a quantity become a value, and in which asset.

With ``q`` contracts (units, for spot) of size ``c``, bought at ``p0`` and sold at ``p1``:

- linear: a value is ``c * q * p``, the profit ``c * q * p1 - c * q * p0``, in quote. ``c`` is base per contract; where
  the contract settles in an asset that is neither base nor quote, ``c`` is that asset per contract and unit of price,
  and the profit is in that asset. Spot is linear with size 1, in quote, as in the source. Options are linear in their
  premium, in the asset the premium is quoted in.
- inverse: a derivative quoted in quote and settled in base. A value is ``c * q / p``, the profit
  ``c * q * (1 / p0 - 1 / p1)``, in base; ``c`` is quote per contract. Prices are above 0.

A seller's profit has the other sign. Source: barter 0.12.5 ``engine/state/position.rs`` for size 1 and quote; it knows
no contract size and no inverse contracts.
"""

from decimal import Decimal
from typing import Final, final

from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.model.instrument import Instrument, InstrumentKind, QuoteKind
from tradebus.core.model.number import ONE, ZERO
from tradebus.core.model.side import Side


@final
class Payoff:
    """The arithmetic of one kind of contract; see the module for formulas and units."""

    def __init__(self, contract_size: Decimal, *, is_inverse: bool) -> None:
        self.contract_size: Final = contract_size
        self.is_inverse: Final = is_inverse

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a quantity is worth at a price, in the asset of the profit."""
        if self.is_inverse:
            return self.contract_size * quantity / price
        return quantity * price * self.contract_size

    def profit(self, side: Side, entry: Decimal, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a long (buy) or short quantity gained from ``entry`` to ``price``, fees aside."""
        value_entry = self.value(quantity, entry)
        value_now = self.value(quantity, price)
        gains_with_value = (side is Side.BUY) is not self.is_inverse
        return value_now - value_entry if gains_with_value else value_entry - value_now

    def average(self, price: Decimal, quantity: Decimal, added_price: Decimal, added: Decimal) -> Decimal:
        """Return the price at which both quantities together have the value that they have; 0 for no quantity.

        That is the weighted mean, for inverse contracts the harmonic one.
        """
        total = quantity + added
        if not total:
            return ZERO
        if self.is_inverse:
            if not quantity:
                return added_price
            return total / (quantity / price + added / added_price)
        return (price * quantity + added_price * added) / total


LINEAR: Final = Payoff(ONE, is_inverse=False)


def payoff_of(instrument: Instrument) -> Payoff:
    """Return the arithmetic of an instrument."""
    size = instrument.definition.contract.contract_size
    is_inverse = _is_inverse(instrument)
    return LINEAR if size == ONE and not is_inverse else Payoff(size, is_inverse=is_inverse)


def pnl_asset(instrument: Instrument) -> AssetIndex:
    """Return the asset that profits, losses and values of an instrument are in."""
    kind = instrument.definition.contract.kind
    if kind is InstrumentKind.SPOT:
        return instrument.quote
    if kind is not InstrumentKind.OPTION and instrument.settlement is not None:
        return instrument.settlement
    return instrument.base if instrument.definition.quote_kind is QuoteKind.UNDERLYING_BASE else instrument.quote


def _is_inverse(instrument: Instrument) -> bool:
    definition = instrument.definition
    kind = definition.contract.kind
    return (
        kind is not InstrumentKind.SPOT
        and kind is not InstrumentKind.OPTION
        and definition.quote_kind is QuoteKind.UNDERLYING_QUOTE
        and instrument.settlement == instrument.base
        and instrument.base != instrument.quote
    )
