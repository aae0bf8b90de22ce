"""Fees: what trading cost, by the asset it was paid in."""

from decimal import Decimal
from typing import final

from tradebus.core.model.account import Liquidity
from tradebus.core.model.number import ZERO


@final
class Fees:
    """Adds up fees of fills that added and that took liquidity, by asset name; rebates are negative."""

    def __init__(self) -> None:
        self.maker: dict[str, Decimal] = {}
        self.taker: dict[str, Decimal] = {}

    def add(self, asset: str, fees: Decimal, liquidity: Liquidity) -> None:
        """Add a fill's fees, in the asset they were paid in."""
        totals = self.maker if liquidity is Liquidity.MAKER else self.taker
        totals[asset] = totals.get(asset, ZERO) + fees

    def total(self) -> dict[str, Decimal]:
        """Return all fees by asset name, names in order."""
        names = sorted({*self.maker, *self.taker})
        return {name: self.maker.get(name, ZERO) + self.taker.get(name, ZERO) for name in names}
