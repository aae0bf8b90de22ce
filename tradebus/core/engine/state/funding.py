"""Keep what a position cost or earned besides its prices: funding, and amounts in assets without a known price."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.model.record import Record

FUNDING_IDS_MAX: Final = 64


@final
class AssetAmount(Record):
    """An amount of an asset."""

    FIELDS: ClassVar[tuple[str, ...]] = ("asset", "amount")

    def __init__(self, asset: AssetIndex, amount: Decimal) -> None:
        self.asset: Final = asset
        self.amount: Final = amount


def add_amount(amounts: list[AssetAmount], asset: AssetIndex, amount: Decimal) -> list[AssetAmount]:
    """Return the amounts with one more added to its asset's; one entry per asset, in index order."""
    before = [each for each in amounts if each.asset < asset]
    same = [each.amount for each in amounts if each.asset == asset]
    after = [each for each in amounts if each.asset > asset]
    return [*before, AssetAmount(asset, same[0] + amount if same else amount), *after]


@final
class FundingTotals(Record):
    """The funding payments of an instrument: how many, what they came to, and which one was the last.

    ``amount`` is what entered the PnL, in its asset. Payments of one instrument come in the order of their times; the
    ids of those at the last time are kept (at most 64), so that each is taken once and nothing grows.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("count", "amount", "time_exchange_ns", "ids")

    def __init__(self, count: int, amount: Decimal, time_exchange_ns: int, ids: list[str]) -> None:
        self.count = count
        self.amount = amount
        self.time_exchange_ns = time_exchange_ns
        self.ids = ids

    def has(self, time_exchange_ns: int, id: str) -> bool:
        """Tell whether a payment was taken in before."""
        if not self.count or time_exchange_ns > self.time_exchange_ns:
            return False
        return time_exchange_ns < self.time_exchange_ns or id in self.ids

    def add(self, time_exchange_ns: int, id: str, amount: Decimal) -> None:
        """Count a payment, with what of it enters the PnL."""
        if time_exchange_ns > self.time_exchange_ns or not self.count:
            self.time_exchange_ns = time_exchange_ns
            self.ids = [id]
        else:
            self.ids = [*self.ids[1 - FUNDING_IDS_MAX :], id]
        self.count += 1
        self.amount += amount
