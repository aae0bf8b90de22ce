"""Collect what closed positions made: the profit in money, and each one's return."""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.data_set import DataSetSummary
from tradebus.core.statistics.profit_factor import profit_factor
from tradebus.core.statistics.win_rate import win_rate


@final
class PnlReturns(Record):
    """``pnl_raw`` in the currency; ``total``, ``profits`` and ``losses`` summarise returns (fractions), one a position.

    A return above 0 is a profit, below 0 a loss; breaking even is neither.

    Source: barter 0.12.5 ``statistic/summary/pnl.rs``, which keeps no profits.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("pnl_raw", "total", "profits", "losses")

    def __init__(
        self,
        pnl_raw: Decimal = ZERO,
        total: DataSetSummary | None = None,
        profits: DataSetSummary | None = None,
        losses: DataSetSummary | None = None,
    ) -> None:
        self.pnl_raw = pnl_raw
        self.total = DataSetSummary() if total is None else total
        self.profits = DataSetSummary() if profits is None else profits
        self.losses = DataSetSummary() if losses is None else losses

    def update(self, pnl_realised: Decimal, pnl_return: Decimal) -> None:
        """Take in a closed position: its realised profit in the currency and its return."""
        self.pnl_raw += pnl_realised
        self.total.update(pnl_return)
        if pnl_return > ZERO:
            self.profits.update(pnl_return)
        elif pnl_return < ZERO:
            self.losses.update(pnl_return)

    def win_rate(self) -> Decimal | None:
        """Return the share of positions that made a profit, none without positions."""
        return win_rate(Decimal(self.profits.count), Decimal(self.total.count))

    def profit_factor(self) -> Decimal | None:
        """Return gross profits over gross losses, of the returns; none without either."""
        return profit_factor(self.profits.sum, self.losses.sum)
