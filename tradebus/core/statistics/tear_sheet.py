"""Tear sheet of an instrument: what its closed positions made, and how.

Source: barter 0.12.5 ``statistic/summary/instrument.rs``, with its marked defects corrected:

- The return of a position is its profit over the capital base where there is one, else over what it invested (as in
  the source). Each position is one observation, and a trading period P with n of them gives each P/n: the return of
  the period is the *sum* of theirs, and ratios are scaled from P/n, not from P.
- The risk-free return is per year of 365 days and converted to what it is compared with.
- The period ends when the run does, not with the last exit; an open position counts in return and drawdown.
- The drawdown is that of capital base plus profit, from the start on.
- Win rate counts wins; the profit factor takes gross profits; reading changes nothing.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.state.payoff import LINEAR, Payoff
from tradebus.core.engine.state.position import PositionExited, pnl_return
from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.calmar import calmar_ratio, scale_calmar
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker
from tradebus.core.statistics.interval import SECOND_NS, TimeInterval
from tradebus.core.statistics.pnl_returns import PnlReturns
from tradebus.core.statistics.rate_of_return import scale_rate_of_return
from tradebus.core.statistics.scaling import risk_free_over
from tradebus.core.statistics.sharpe import scale_sharpe, sharpe_ratio
from tradebus.core.statistics.sortino import scale_sortino, sortino_ratio


@final
class TearSheet(Record):
    """An instrument's results: ``pnl`` of closed positions, ``pnl_open`` of the open one.

    Both are in the currency: the quote asset, or what a contract settles in. Returns, drawdowns and the win rate
    are fractions. Return and ratios are those of ``interval``. Drawdowns are none where there was none; win rate and
    profit factor without closed positions.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "interval",
        "positions",
        "pnl",
        "pnl_open",
        "pnl_return",
        "sharpe_ratio",
        "sortino_ratio",
        "calmar_ratio",
        "pnl_drawdown",
        "pnl_drawdown_mean",
        "pnl_drawdown_max",
        "win_rate",
        "profit_factor",
    )

    def __init__(
        self,
        interval: TimeInterval,
        positions: int,
        pnl: Decimal,
        pnl_open: Decimal,
        pnl_return: Decimal,
        sharpe_ratio: Decimal,
        sortino_ratio: Decimal,
        calmar_ratio: Decimal,
        pnl_drawdown: Drawdown | None,
        pnl_drawdown_mean: MeanDrawdown | None,
        pnl_drawdown_max: Drawdown | None,
        win_rate: Decimal | None,
        profit_factor: Decimal | None,
    ) -> None:
        self.interval: Final = interval
        self.positions: Final = positions
        self.pnl: Final = pnl
        self.pnl_open: Final = pnl_open
        self.pnl_return: Final = pnl_return
        self.sharpe_ratio: Final = sharpe_ratio
        self.sortino_ratio: Final = sortino_ratio
        self.calmar_ratio: Final = calmar_ratio
        self.pnl_drawdown: Final = pnl_drawdown
        self.pnl_drawdown_mean: Final = pnl_drawdown_mean
        self.pnl_drawdown_max: Final = pnl_drawdown_max
        self.win_rate: Final = win_rate
        self.profit_factor: Final = profit_factor


def trading_period(time_start_ns: int, time_end_ns: int) -> TimeInterval:
    """Return the time traded, at least one second."""
    return TimeInterval("Trading period", max(time_end_ns - time_start_ns, SECOND_NS))


@final
class TearSheetGenerator:
    """Collects an instrument's closed positions.

    ``capital_base`` is what was there to trade with, in the currency. Without one (0) returns are those on
    what each position invested, by ``payoff``, and drawdowns those of the profit itself, which cannot be measured until
    it is positive.
    """

    def __init__(
        self,
        time_start_ns: int,
        capital_base: Decimal = ZERO,
        pnl_returns: PnlReturns | None = None,
        drawdown: DrawdownTracker | None = None,
        *,
        payoff: Payoff = LINEAR,
    ) -> None:
        self._payoff: Final = payoff
        self.time_start_ns: Final = time_start_ns
        self.time_now_ns = time_start_ns
        self.capital_base: Final = capital_base
        self.pnl_returns = PnlReturns() if pnl_returns is None else pnl_returns
        if drawdown is None:
            drawdown = DrawdownTracker()
            drawdown.update(capital_base, time_start_ns)
        self.drawdown = drawdown

    def update_from_position(self, exited: PositionExited) -> None:
        """Take in a closed position."""
        self.update(
            exited.pnl_realised,
            pnl_return(exited.pnl_realised, exited.price_entry_average, exited.quantity_abs_max, payoff=self._payoff),
            exited.time_exit_ns,
        )

    def update(self, pnl_realised: Decimal, return_on_invested: Decimal, time_exit_ns: int) -> None:
        """Take in a closed position: its profit in the currency, its return on what it invested, and when it closed."""
        base = self.capital_base
        self.time_now_ns = time_exit_ns
        self.pnl_returns.update(pnl_realised, pnl_realised / base if base else return_on_invested)
        self.drawdown.update(base + self.pnl_returns.pnl_raw, time_exit_ns)

    def generate(
        self,
        risk_free_return: Decimal,
        interval: TimeInterval,
        time_end_ns: int | None = None,
        pnl_open: Decimal = ZERO,
    ) -> TearSheet:
        """Return the sheet, with return and ratios of ``interval``; calling it changes nothing.

        ``risk_free_return`` is a fraction per year of 365 days. The trading period ends at ``time_end_ns``, at the last
        exit where none is given. ``pnl_open`` is what the open position made by then, realised and not; it
        counts in return and drawdown only where there is a capital base to measure it by.
        """
        end_ns = self.time_now_ns if time_end_ns is None else time_end_ns
        period = trading_period(self.time_start_ns, end_ns)
        returns = self.pnl_returns
        count = max(returns.total.count, 1)
        mean = returns.total.mean
        base = self.capital_base
        drawdown = self.drawdown.sheet()
        whole = returns.total.sum
        if pnl_open and base:
            whole += pnl_open / base
            drawdown = self.drawdown.sheet_with(base + returns.pnl_raw + pnl_open, end_ns)
        free = risk_free_over(risk_free_return, period, count)
        deepest = ZERO if drawdown.max is None else drawdown.max.value
        sharpe = sharpe_ratio(mean, free, returns.total.std_dev)
        sortino = sortino_ratio(mean, free, returns.losses.std_dev)
        calmar = calmar_ratio(whole, risk_free_over(risk_free_return, period), deepest)
        return TearSheet(
            interval,
            returns.total.count,
            returns.pnl_raw,
            pnl_open,
            scale_rate_of_return(whole, period, interval),
            scale_sharpe(sharpe, period, interval, count),
            scale_sortino(sortino, period, interval, count),
            scale_calmar(calmar, period, interval),
            drawdown.running,
            drawdown.mean,
            drawdown.max,
            returns.win_rate(),
            returns.profit_factor(),
        )
