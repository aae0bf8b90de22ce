"""The small metrics at their edges."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN
from tradebus.core.statistics.calmar import calmar_ratio
from tradebus.core.statistics.data_set import DataSetSummary, summary_of
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdownGenerator
from tradebus.core.statistics.equity import POINTS_MAX, EquityCurve
from tradebus.core.statistics.exposure import Exposure
from tradebus.core.statistics.interval import ANNUAL_365, DAILY, TimeInterval, interval_of
from tradebus.core.statistics.profit_factor import profit_factor
from tradebus.core.statistics.scaling import clamp, interval_ratio, risk_free_over, scale_linear, scale_root
from tradebus.core.statistics.sharpe import sharpe_ratio
from tradebus.core.statistics.sortino import downside_deviation, sortino_ratio
from tradebus.core.statistics.welford import next_mean_integer
from tradebus.core.statistics.win_rate import win_rate

ZERO, ONE = Decimal(0), Decimal(1)
EMPTY = TimeInterval("empty", 0)


def test_integer_means_cut_towards_zero() -> None:
    assert [next_mean_integer(0, value, 2) for value in (5, -5)] == [2, -2]


def test_nothing_has_a_summary_of_zeros() -> None:
    empty = DataSetSummary()
    assert [empty.count, empty.sum, empty.mean, empty.variance, empty.std_dev, empty.range.value] == [0] * 6
    assert not empty.range.is_activated


@given(st.lists(st.decimals(-1000, 1000, places=4), min_size=1, max_size=30))
def test_a_summary_does_not_depend_on_how_often_it_is_read(values: list[Decimal]) -> None:
    read = DataSetSummary()
    for value in values:
        read.update(value)
        assert read.std_dev >= 0
    assert read == summary_of(values)
    assert read.range.high == max(values)
    assert read.range.low == min(values)


@pytest.mark.parametrize("scale", [scale_linear, scale_root])
@pytest.mark.parametrize("infinity", [DECIMAL_MAX, DECIMAL_MIN])
@pytest.mark.parametrize("target", [interval_of(1_000_000_000), ANNUAL_365, EMPTY])
def test_infinity_stays_infinity(scale: object, infinity: Decimal, target: TimeInterval) -> None:
    assert callable(scale)
    assert scale(infinity, DAILY, target) == infinity
    assert scale(infinity, EMPTY, target) == infinity


def test_what_overflows_keeps_its_sign() -> None:
    assert scale_linear(Decimal(-1), EMPTY, DAILY) == DECIMAL_MIN
    assert scale_linear(Decimal(2), EMPTY, DAILY) == DECIMAL_MAX
    assert scale_linear(DECIMAL_MIN / 2, DAILY, ANNUAL_365) == DECIMAL_MIN
    assert clamp(DECIMAL_MAX * 2) == DECIMAL_MAX
    assert sharpe_ratio(DECIMAL_MIN / 2, ZERO, Decimal("0.1")) == DECIMAL_MIN


def test_intervals_are_compared_in_whole_seconds_without_sign() -> None:
    assert interval_ratio(interval_of(-1_900_000_000), interval_of(3_000_000_000)) == 3
    assert interval_ratio(DAILY, DAILY, 4) == 4
    assert interval_of(-90_000_000_000).name == "Duration -1 (minutes)"
    assert interval_of(-1_900_000_000).seconds == -1


def test_the_risk_free_return_of_a_year_is_spread_over_it() -> None:
    assert risk_free_over(Decimal("0.365"), DAILY) == Decimal("0.001")
    assert risk_free_over(Decimal("0.365"), DAILY, 2) == Decimal("0.0005")


def test_ratios_without_risk() -> None:
    assert sharpe_ratio(Decimal(-1), ZERO, ZERO) == DECIMAL_MAX
    for ratio in (sortino_ratio, calmar_ratio):
        assert [ratio(Decimal(made), ONE, ZERO) for made in (2, 0, 1)] == [DECIMAL_MAX, DECIMAL_MIN, ZERO]


def test_shares_of_nothing_are_none() -> None:
    assert win_rate(ZERO, ZERO) is None
    assert profit_factor(ZERO, ZERO) is None
    assert downside_deviation([], ZERO) == 0


def test_mean_drawdown_with_one_ahead_does_not_take_it_in() -> None:
    generator = MeanDrawdownGenerator()
    generator.update(Drawdown(Decimal("0.2"), 0, 4_000_000))
    ahead = generator.with_next(Drawdown(Decimal("0.4"), 0, 1_000_000))
    assert ahead is not None
    assert (ahead.mean_drawdown, ahead.mean_drawdown_ms) == (Decimal("0.3"), 3)
    assert generator.count == 1
    assert generator.with_next(None) == generator.mean


def test_a_curve_keeps_a_bounded_number_of_points_and_measures_all() -> None:
    curve = EquityCurve(Decimal(100), 0, 10)
    low = POINTS_MAX - 3
    while (time_ns := curve.next_sample_ns()) is not None and time_ns <= 10 * (POINTS_MAX + 2):
        # One low only, at a point that is dropped later on.
        curve.sample(time_ns, Decimal(50 if time_ns == 10 * low else 100))
    assert curve.period_ns == 20
    assert len(curve.points) == POINTS_MAX // 2 + 2
    assert {b.time_ns - a.time_ns for a, b in zip(curve.points, curve.points[1:], strict=False)} == {20}
    assert all(point.equity == 100 for point in curve.points)
    deepest = curve.drawdown.sheet().max
    assert deepest is not None
    assert deepest.value == Decimal("0.5")


def test_there_are_no_returns_on_nothing() -> None:
    curve = EquityCurve(ZERO, 0, 10)
    curve.sample(10, ONE)
    assert curve.returns() is None
    ruined = EquityCurve(ONE, 0, 10)
    ruined.sample(10, Decimal(-1))
    assert ruined.returns() == [Decimal(-2)]
    ruined.sample(20, ONE)
    assert ruined.returns() is None


def test_a_curve_without_periods_keeps_its_first_point_and_the_last_value() -> None:
    curve = EquityCurve(ONE, 5, 0)
    curve.update(7, Decimal(2))
    assert curve.next_sample_ns() is None
    assert [len(curve.points), curve.last.equity] == [1, 2]
    with pytest.raises(ValueError, match="expected a period of 0 ns or more, found -1"):
        EquityCurve(ONE, 0, -1)


def test_exposure_without_time_has_no_mean() -> None:
    exposure = Exposure(5)
    exposure.update(5, ONE, -ONE)
    sheet = exposure.sheet()
    assert [sheet.gross_end, sheet.net_end, sheet.gross_max] == [1, -1, 1]
    assert [sheet.gross_mean, sheet.net_mean, sheet.time_in_market] == [0, 0, 0]
