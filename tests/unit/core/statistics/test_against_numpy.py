"""The metrics give what plain numpy gives on random series, to 1e-12."""

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pytest

from tradebus.core.statistics.calmar import calmar_ratio
from tradebus.core.statistics.data_set import summary_of
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker
from tradebus.core.statistics.equity import EquityCurve
from tradebus.core.statistics.exposure import Exposure
from tradebus.core.statistics.interval import ANNUAL_252, ANNUAL_365, DAILY, DAY_NS, TimeInterval
from tradebus.core.statistics.pnl_returns import PnlReturns
from tradebus.core.statistics.portfolio import PortfolioSheet, portfolio_sheet
from tradebus.core.statistics.sharpe import scale_sharpe, sharpe_ratio
from tradebus.core.statistics.sortino import downside_deviation, sortino_ratio
from tradebus.core.statistics.tear_sheet import TearSheetGenerator
from tradebus.core.statistics.welford import sample_variance

Floats = npt.NDArray[np.float64]

SEEDS = range(8)
FREE = 0.03


def series(seed: int, size: int = 400) -> Floats:
    """Return daily returns of some per cent, in 12 decimals."""
    return np.round(np.random.default_rng(seed).normal(0.0007, 0.02, size), 12)


def decimals(values: Floats) -> list[Decimal]:
    return [Decimal(str(value)) for value in values.tolist()]


def close(ours: Decimal | None, theirs: float | np.floating) -> bool:
    assert ours is not None
    return float(ours) == pytest.approx(float(theirs), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_mean_variance_and_deviation(seed: int) -> None:
    values = series(seed)
    ours = summary_of(decimals(values))
    assert ours.count == values.size
    assert close(ours.sum, values.sum())
    assert close(ours.mean, values.mean())
    assert close(ours.variance, values.var())
    assert close(ours.std_dev, values.std())
    assert close(ours.range.value, np.ptp(values))
    assert close(sample_variance(ours.recurrence_m, ours.count), values.var(ddof=1))


@pytest.mark.parametrize("seed", SEEDS)
def test_sharpe_and_sortino(seed: int) -> None:
    values = series(seed)
    free = FREE / 365
    ours = summary_of(decimals(values))
    daily_free = Decimal(str(FREE)) / 365
    sharpe = sharpe_ratio(ours.mean, daily_free, ours.std_dev)
    expected = (values.mean() - free) / values.std()
    assert close(sharpe, expected)
    assert close(scale_sharpe(sharpe, DAILY, ANNUAL_252), expected * np.sqrt(252))
    downside = downside_deviation(decimals(values), daily_free)
    their_downside = np.sqrt(np.mean(np.minimum(values - free, 0) ** 2))
    assert close(downside, their_downside)
    assert close(sortino_ratio(ours.mean, daily_free, downside), (values.mean() - free) / their_downside)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawdowns(seed: int) -> None:
    equity = np.round(100 * np.cumprod(1 + series(seed)), 9)
    tracker = DrawdownTracker()
    for day, value in enumerate(decimals(equity)):
        tracker.update(value, day * DAY_NS)
    sheet = tracker.sheet()
    peaks = np.maximum.accumulate(equity)
    depth = (peaks - equity) / peaks
    assert sheet.max is not None
    assert close(sheet.max.value, depth.max())
    # A drawdown is a run of days whose peak is one and the same.
    groups = [depth[peaks == peak].max() for peak in np.unique(peaks)]
    assert sheet.mean is not None
    assert close(sheet.mean.mean_drawdown, np.mean([group for group in groups if group > 0]))
    start = int(np.argmax(equity == peaks[depth.argmax()]))
    assert sheet.max.time_start_ns == start * DAY_NS


def sheet_of(equity: Floats, interval: TimeInterval) -> PortfolioSheet:
    """Return the portfolio sheet of daily equity, whose first value is the capital base."""
    values = decimals(equity)
    curve = EquityCurve(values[0], 0, DAY_NS)
    for day, value in enumerate(values[1:], 1):
        curve.sample(day * DAY_NS, value)
    return portfolio_sheet(curve, PnlReturns(), Exposure(0), Decimal(0), Decimal(str(FREE)), interval)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("interval", "days"), [(ANNUAL_365, 365), (ANNUAL_252, 252), (DAILY, 1)])
def test_portfolio_sheet(seed: int, interval: TimeInterval, days: int) -> None:
    equity = np.round(10_000 * np.cumprod(1 + np.concatenate([[0.0], series(seed)])), 9)
    sheet = sheet_of(equity, interval)
    returns = equity[1:] / equity[:-1] - 1
    free = FREE / 365
    assert sheet.periods == returns.size
    assert close(sheet.return_total, equity[-1] / equity[0] - 1)
    whole = (equity[-1] / equity[0] - 1) * days / returns.size
    assert close(sheet.return_interval, whole)
    assert close(sheet.volatility, returns.std() * np.sqrt(days))
    assert close(sheet.sharpe_ratio, (returns.mean() - free) / returns.std() * np.sqrt(days))
    downside = np.sqrt(np.mean(np.minimum(returns - free, 0) ** 2))
    assert close(sheet.sortino_ratio, (returns.mean() - free) / downside * np.sqrt(days))
    peaks = np.maximum.accumulate(equity)
    deepest = ((peaks - equity) / peaks).max()
    assert close(sheet.calmar_ratio, (whole - free * days) / deepest)


@pytest.mark.parametrize("seed", SEEDS)
def test_tear_sheet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base, days, count = 5_000.0, 30, 60
    pnl = np.round(rng.normal(3, 40, count), 6)
    generator = TearSheetGenerator(0, Decimal(5_000))
    times = np.sort(rng.integers(1, days * DAY_NS, count))
    for made, time in zip(decimals(pnl), times.tolist(), strict=True):
        generator.update(made, Decimal(0), time)
    sheet = generator.generate(Decimal(str(FREE)), ANNUAL_365, days * DAY_NS)
    returns = pnl / base
    scale = np.sqrt(365 * count / days)
    excess = returns.mean() - FREE * days / 365 / count
    assert close(sheet.pnl, pnl.sum())
    assert close(sheet.pnl_return, pnl.sum() / base * 365 / days)
    assert close(sheet.sharpe_ratio, excess / returns.std() * scale)
    assert close(sheet.sortino_ratio, excess / returns[returns < 0].std() * scale)
    equity = np.concatenate([[base], base + pnl.cumsum()])
    peaks = np.maximum.accumulate(equity)
    deepest = ((peaks - equity) / peaks).max()
    assert close(sheet.calmar_ratio, (pnl.sum() / base - FREE * days / 365) / deepest * np.sqrt(365 / days))
    assert close(sheet.win_rate, (pnl > 0).mean())
    assert close(sheet.profit_factor, pnl[pnl > 0].sum() / -pnl[pnl < 0].sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_exposure_is_weighted_by_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.concatenate([[0], np.sort(rng.integers(1, 10**9, 50))])
    net = np.round(rng.normal(0, 100, 51), 6)
    net[rng.random(51) < 0.3] = 0
    exposure = Exposure(0)
    for time, value in zip(times.tolist(), decimals(net), strict=True):
        exposure.update(time, abs(value), value)
    sheet = exposure.sheet()
    weights = np.diff(times)
    assert close(sheet.gross_mean, np.average(np.abs(net[:-1]), weights=weights))
    assert close(sheet.net_mean, np.average(net[:-1], weights=weights))
    assert close(sheet.gross_max, np.abs(net).max())
    assert close(sheet.time_in_market, weights[net[:-1] != 0].sum() / weights.sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_calmar_takes_the_amount_of_the_drawdown(seed: int) -> None:
    mean, free, depth = series(seed, 3)
    ours = calmar_ratio(*decimals(np.array([mean, free, depth])))
    assert close(ours, (mean - free) / abs(depth))
