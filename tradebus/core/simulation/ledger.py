"""Keep the balances of a simulated account: both assets of every fill, and what open orders bind."""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.model.account import AssetBalance, Balance
from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record


@final
class LedgerEntry(Record):
    """One asset: what is owned, and what of it is spendable."""

    FIELDS: ClassVar[tuple[str, ...]] = ("total", "free")

    def __init__(self, total: Decimal, free: Decimal) -> None:
        self.total = total
        self.free = free


@final
class Ledger:
    """The balances of an account by asset index; assets never named before hold nothing."""

    def __init__(self, balances: tuple[tuple[AssetIndex, Decimal], ...]) -> None:
        self._entries = {asset: LedgerEntry(amount, amount) for asset, amount in balances}

    def restore(self, asset: AssetIndex, total: Decimal, free: Decimal) -> None:
        """Set what is owned of an asset, and what of it is spendable."""
        self._entries[asset] = LedgerEntry(total, free)

    def entry(self, asset: AssetIndex) -> LedgerEntry:
        """Return the entry of an asset."""
        found = self._entries.get(asset)
        if found is None:
            found = LedgerEntry(ZERO, ZERO)
            self._entries[asset] = found
        return found

    def assets(self) -> list[AssetIndex]:
        """Return the assets that were ever named, in index order."""
        return sorted(self._entries)

    def reserve(self, asset: AssetIndex, amount: Decimal) -> bool:
        """Bind an amount for an order; tell whether there was enough. Nothing changes if not."""
        entry = self.entry(asset)
        if entry.free < amount:
            return False
        entry.free -= amount
        return True

    def release(self, asset: AssetIndex, amount: Decimal) -> None:
        """Free a bound amount."""
        self.entry(asset).free += amount

    def spend_reserved(self, asset: AssetIndex, reserved: Decimal, spent: Decimal) -> None:
        """Pay ``spent`` out of a bound amount and free the rest of it."""
        entry = self.entry(asset)
        entry.total -= spent
        entry.free += reserved - spent

    def credit(self, asset: AssetIndex, amount: Decimal) -> None:
        """Add an amount."""
        entry = self.entry(asset)
        entry.total += amount
        entry.free += amount

    def balance(self, asset: AssetIndex, time_exchange_ns: int) -> AssetBalance:
        """Return the balance of an asset as the venue would report it."""
        entry = self.entry(asset)
        return AssetBalance(asset, Balance(entry.total, entry.free), time_exchange_ns)
