"""Keep the balance of one asset on one exchange, the newest that the venue told."""

from typing import ClassVar, final

from tradebus.core.model.account import AssetBalance, Balance
from tradebus.core.model.asset import ExchangeAsset
from tradebus.core.model.record import Record


@final
class AssetState(Record):
    """An asset and its balance, none until the venue told one."""

    FIELDS: ClassVar[tuple[str, ...]] = ("asset", "balance", "time_exchange_ns")

    def __init__(self, asset: ExchangeAsset, balance: Balance | None, time_exchange_ns: int) -> None:
        self.asset = asset
        self.balance = balance
        self.time_exchange_ns = time_exchange_ns

    def update_from_balance(self, update: AssetBalance) -> bool:
        """Store a balance unless it is older than ours (equal times count as newer); tell whether it was stored."""
        if self.balance is not None and self.time_exchange_ns > update.time_exchange_ns:
            return False
        self.balance = update.balance
        self.time_exchange_ns = update.time_exchange_ns
        return True
