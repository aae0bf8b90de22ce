"""Tear sheet of an asset on one exchange: the balance in the end, and how far its total fell on the way.

Source: barter 0.12.5 ``statistic/summary/asset.rs``; reading changes nothing here. Amounts are in the asset.
"""

from typing import ClassVar, Final, final

from tradebus.core.model.account import Balance
from tradebus.core.model.record import Record
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker


@final
class TearSheetAsset(Record):
    """An asset's results; ``balance_end`` is none where the venue never told one. Drawdowns are fractions."""

    FIELDS: ClassVar[tuple[str, ...]] = ("balance_end", "drawdown", "drawdown_mean", "drawdown_max")

    def __init__(
        self,
        balance_end: Balance | None,
        drawdown: Drawdown | None,
        drawdown_mean: MeanDrawdown | None,
        drawdown_max: Drawdown | None,
    ) -> None:
        self.balance_end: Final = balance_end
        self.drawdown: Final = drawdown
        self.drawdown_mean: Final = drawdown_mean
        self.drawdown_max: Final = drawdown_max


@final
class TearSheetAssetGenerator(Record):
    """Follows the balance of one asset; its total is what drawdowns are measured on."""

    FIELDS: ClassVar[tuple[str, ...]] = ("balance_now", "drawdown")

    def __init__(self, balance_now: Balance | None = None, drawdown: DrawdownTracker | None = None) -> None:
        self.balance_now = balance_now
        self.drawdown = DrawdownTracker() if drawdown is None else drawdown

    def update_from_balance(self, balance: Balance, time_exchange_ns: int) -> None:
        """Take in a balance that the venue told at a time of its own; stale ones are the caller's to leave out."""
        self.balance_now = balance
        self.drawdown.update(balance.total, time_exchange_ns)

    def generate(self) -> TearSheetAsset:
        """Return the sheet; calling it changes nothing."""
        sheet = self.drawdown.sheet()
        return TearSheetAsset(self.balance_now, sheet.running, sheet.mean, sheet.max)
