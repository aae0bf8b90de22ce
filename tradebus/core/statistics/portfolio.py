"""Portfolio sheet: everything traded in one currency, measured on the equity curve over its capital base.

Returns are those of the curve's equal periods, S each, so a ratio of one S is scaled to the interval by the root of
their ratio; the risk-free return, a fraction per year of 365 days, is converted to S first. Deviations are those of the
population. The downside of the Sortino ratio is the root mean square of what returns fell short of the risk-free one.
The Calmar ratio is the return of the interval, less the risk-free one of the same, over the deepest drawdown.

What cannot be measured is none: returns without capital, ratios with fewer than two periods or without deviation.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.calmar import calmar_ratio
from tradebus.core.statistics.data_set import summary_of
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.equity import EquityCurve
from tradebus.core.statistics.exposure import Exposure, ExposureSheet
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.pnl_returns import PnlReturns
from tradebus.core.statistics.rate_of_return import scale_rate_of_return
from tradebus.core.statistics.scaling import risk_free_over, scale_root
from tradebus.core.statistics.sharpe import scale_sharpe, sharpe_ratio
from tradebus.core.statistics.sortino import downside_deviation, scale_sortino, sortino_ratio
from tradebus.core.statistics.tear_sheet import trading_period
from tradebus.core.statistics.turnover import turnover_rate


@final
class PortfolioSheet(Record):
    """Results in one currency.

    Amounts are in it; returns, volatility, drawdowns and the win rate are fractions. ``return_total`` is that
    of the whole run, ``return_interval`` the same per ``interval``, linearly; volatility and ratios are those of
    ``interval`` too. ``periods`` is the number of returns behind them, ``period_ns`` the length of each.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "interval",
        "capital_base",
        "equity_end",
        "pnl",
        "return_total",
        "return_interval",
        "periods",
        "period_ns",
        "volatility",
        "sharpe_ratio",
        "sortino_ratio",
        "calmar_ratio",
        "drawdown",
        "drawdown_mean",
        "drawdown_max",
        "positions",
        "win_rate",
        "profit_factor",
        "exposure",
        "turnover",
        "turnover_rate",
    )

    def __init__(
        self,
        interval: TimeInterval,
        capital_base: Decimal,
        equity_end: Decimal,
        pnl: Decimal,
        return_total: Decimal | None,
        return_interval: Decimal | None,
        periods: int,
        period_ns: int,
        volatility: Decimal | None,
        sharpe_ratio: Decimal | None,
        sortino_ratio: Decimal | None,
        calmar_ratio: Decimal | None,
        drawdown: Drawdown | None,
        drawdown_mean: MeanDrawdown | None,
        drawdown_max: Drawdown | None,
        positions: int,
        win_rate: Decimal | None,
        profit_factor: Decimal | None,
        exposure: ExposureSheet,
        turnover: Decimal,
        turnover_rate: Decimal | None,
    ) -> None:
        self.interval: Final = interval
        self.capital_base: Final = capital_base
        self.equity_end: Final = equity_end
        self.pnl: Final = pnl
        self.return_total: Final = return_total
        self.return_interval: Final = return_interval
        self.periods: Final = periods
        self.period_ns: Final = period_ns
        self.volatility: Final = volatility
        self.sharpe_ratio: Final = sharpe_ratio
        self.sortino_ratio: Final = sortino_ratio
        self.calmar_ratio: Final = calmar_ratio
        self.drawdown: Final = drawdown
        self.drawdown_mean: Final = drawdown_mean
        self.drawdown_max: Final = drawdown_max
        self.positions: Final = positions
        self.win_rate: Final = win_rate
        self.profit_factor: Final = profit_factor
        self.exposure: Final = exposure
        self.turnover: Final = turnover
        self.turnover_rate: Final = turnover_rate


def portfolio_sheet(
    curve: EquityCurve,
    positions: PnlReturns,
    exposure: Exposure,
    turnover: Decimal,
    risk_free_return: Decimal,
    interval: TimeInterval,
) -> PortfolioSheet:
    """Return the sheet of one currency, up to the curve's last value; calling it changes nothing."""
    base = curve.capital_base
    pnl = curve.last.equity - base
    whole = trading_period(curve.points[0].time_ns, curve.last.time_ns)
    drawdown = curve.drawdown.sheet()
    return_total: Decimal | None = None
    return_interval: Decimal | None = None
    calmar: Decimal | None = None
    if base > ZERO:
        return_total = pnl / base
        return_interval = scale_rate_of_return(return_total, whole, interval)
        deepest = ZERO if drawdown.max is None else drawdown.max.value
        calmar = calmar_ratio(return_interval, risk_free_over(risk_free_return, interval), deepest)
    returns = curve.returns() or []
    volatility: Decimal | None = None
    sharpe: Decimal | None = None
    sortino: Decimal | None = None
    if len(returns) > 1:
        period = TimeInterval("Period", curve.period_ns)
        free = risk_free_over(risk_free_return, period)
        summary = summary_of(returns)
        deviation = summary.std_dev
        volatility = scale_root(deviation, period, interval)
        if deviation:
            sharpe = scale_sharpe(sharpe_ratio(summary.mean, free, deviation), period, interval)
            downside = downside_deviation(returns, free)
            sortino = scale_sortino(sortino_ratio(summary.mean, free, downside), period, interval)
    return PortfolioSheet(
        interval,
        base,
        curve.last.equity,
        pnl,
        return_total,
        return_interval,
        len(returns),
        curve.period_ns,
        volatility,
        sharpe,
        sortino,
        calmar,
        drawdown.running,
        drawdown.mean,
        drawdown.max,
        positions.total.count,
        positions.win_rate(),
        positions.profit_factor(),
        exposure.sheet(),
        turnover,
        turnover_rate(turnover, base),
    )
