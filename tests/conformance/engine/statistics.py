"""Run the vectors of metrics, drawdowns and tear sheets."""

from collections.abc import Callable
from decimal import Decimal, setcontext
from typing import Any

from tests.conformance.engine import reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tradebus.core.engine.state.position import pnl_return
from tradebus.core.model.account import Balance
from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN, enter_engine_context
from tradebus.core.statistics.asset_sheet import TearSheetAssetGenerator
from tradebus.core.statistics.calmar import calmar_ratio, scale_calmar
from tradebus.core.statistics.data_set import DataSetSummary, Range
from tradebus.core.statistics.drawdown import Drawdown, DrawdownGenerator
from tradebus.core.statistics.drawdown_max import MaxDrawdownGenerator
from tradebus.core.statistics.drawdown_mean import MeanDrawdown, MeanDrawdownGenerator
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker
from tradebus.core.statistics.interval import ANNUAL_252, ANNUAL_365, DAILY, SECOND_NS, TimeInterval, interval_of
from tradebus.core.statistics.pnl_returns import PnlReturns
from tradebus.core.statistics.profit_factor import profit_factor
from tradebus.core.statistics.rate_of_return import scale_rate_of_return
from tradebus.core.statistics.sharpe import scale_sharpe, sharpe_ratio
from tradebus.core.statistics.sortino import scale_sortino, sortino_ratio
from tradebus.core.statistics.tear_sheet import TearSheet, TearSheetGenerator
from tradebus.core.statistics.welford import (
    next_mean,
    next_mean_integer,
    next_recurrence_m,
    population_variance,
    sample_variance,
)
from tradebus.core.statistics.win_rate import win_rate

Json = Any
Runner = Callable[[Case, Check], None]

INTERVALS = {"daily": DAILY, "annual_252": ANNUAL_252, "annual_365": ANNUAL_365}
YEAR_SECONDS = 365 * 86_400


def interval(written: Json) -> TimeInterval:
    """Return an interval, given by name or as custom seconds."""
    if isinstance(written, str):
        return INTERVALS[written]
    return interval_of(int(Decimal(str(written["custom_seconds"])) * SECOND_NS))


def _seconds(written: Json) -> TimeInterval:
    return interval_of(int(Decimal(str(written)) * SECOND_NS))


# Welford


def run_mean(case: Case, check: Check) -> None:
    """Take one more value into a mean."""
    given = case.data["input"]
    ours = next_mean(Decimal(given["prev_mean"]), Decimal(given["next_value"]), int(given["count"]))
    check.equal("mean", ours, case.data["expected"])


def run_integer_mean(case: Case, check: Check) -> None:
    """Take one more integer into a mean."""
    given = case.data["input"]
    ours = next_mean_integer(int(given["prev_mean"]), int(given["next_value"]), int(given["count"]))
    check.equal("mean", ours, int(case.data["expected"]))


def run_recurrence(case: Case, check: Check) -> None:
    """Take one more value into the sum of squared deviations."""
    given = {name: Decimal(text) for name, text in case.data["input"].items()}
    ours = next_recurrence_m(given["prev_m"], given["prev_mean"], given["new_value"], given["new_mean"])
    check.equal("m", ours, case.data["expected"])


def run_variance(case: Case, check: Check) -> None:
    """Turn the sum of squared deviations into a variance, of a sample or of the population."""
    given = case.data["input"]
    of = sample_variance if case.group == "sample_variance" else population_variance
    check.equal("variance", of(Decimal(given["m"]), int(given["count"])), case.data["expected"])


# Data sets


def check_data_set(check: Check, what: str, ours: DataSetSummary, expected: Json) -> None:
    """Compare a summary with what the reference keeps."""
    check.equal(f"{what} count", ours.count, int(expected["count"]))
    check.equal(f"{what} sum", ours.sum, expected["sum"])
    check.equal(f"{what} mean", ours.mean, expected["mean"])
    dispersion = expected["dispersion"]
    check.equal(f"{what} activated", ours.range.is_activated, dispersion["range"]["activated"])
    check.equal(f"{what} high", ours.range.high, dispersion["range"]["high"])
    check.equal(f"{what} low", ours.range.low, dispersion["range"]["low"])
    check.equal(f"{what} m", ours.recurrence_m, dispersion["recurrence_relation_m"])
    check.equal(f"{what} variance", ours.variance, dispersion["variance"])
    check.equal(f"{what} deviation", ours.std_dev, dispersion["std_dev"])


def run_data_set(case: Case, check: Check) -> None:
    """Grow a series and look at its summary after each value."""
    summary = DataSetSummary()
    for i, step in enumerate(case.data["steps"]):
        summary.update(Decimal(step["value"]))
        check_data_set(check, f"step {i}", summary, step["expected"])


def run_range(case: Case, check: Check) -> None:
    """Take values into a range."""
    found = Range()
    for value in case.data["values"]:
        found.update(Decimal(value))
    expected = case.data["expected"]
    check.equal("high", found.high, expected["high"])
    check.equal("low", found.low, expected["low"])
    check.equal("range", found.value, expected["range"])


# Ratios


def run_ratio(case: Case, check: Check) -> None:
    """Compute a ratio from returns and a risk."""
    of = {"sharpe": sharpe_ratio, "sortino": sortino_ratio, "calmar": calmar_ratio}[case.group]
    given = {name: Decimal(text) for name, text in case.data["input"].items()}
    ours = of(given["mean_return"], given["risk_free_return"], given["risk"])
    check.equal(case.group, ours, case.data["expected"])


def run_scale(case: Case, check: Check) -> None:
    """Carry a ratio or return to another interval; what is infinite stays so, with its sign."""
    scales = {
        "sharpe_scale": scale_sharpe,
        "sortino_scale": scale_sortino,
        "calmar_scale": scale_calmar,
        "rate_of_return_scale": scale_rate_of_return,
    }
    given = case.data["input"]
    value = Decimal(given["value"])
    current, target = _seconds(given["current_seconds"]), _seconds(given["target_seconds"])
    ours = scales[case.group](value, current, target)
    expected = case.data["expected"]
    if infinite(value) or infinite(Decimal(expected)):
        check.equal_or("infinite-stays", case.group, ours, expected, DECIMAL_MAX.copy_sign(value))
    else:
        check.equal(case.group, ours, expected)


def infinite(value: Decimal) -> bool:
    """Tell whether a value stands for infinity or lies beyond it."""
    return value >= DECIMAL_MAX or value <= DECIMAL_MIN


def run_rate_of_return(case: Case, check: Check) -> None:
    """Over its own period a return is itself."""
    given = case.data["input"]
    period = _seconds(given["period_seconds"])
    check.equal("return", scale_rate_of_return(Decimal(given["mean_return"]), period, period), case.data["expected"])


def run_win_rate(case: Case, check: Check) -> None:
    """Compute a win rate."""
    given = case.data["input"]
    check.equal("win rate", win_rate(Decimal(given["wins"]), Decimal(given["total"])), case.data["expected"])


def run_profit_factor(case: Case, check: Check) -> None:
    """Compute a profit factor."""
    given = case.data["input"]
    ours = profit_factor(Decimal(given["profits"]), Decimal(given["losses"]))
    check.equal("profit factor", ours, case.data["expected"])


def run_interval(case: Case, check: Check) -> None:
    """Name an interval and count its seconds."""
    found = interval(case.data["interval"])
    check.equal("interval", {"name": found.name, "seconds": found.seconds}, case.data["expected"])


# Drawdowns


def drawdown(written: Json) -> Drawdown:
    """Return a drawdown."""
    start, end = (reading.time_ns(written[name]) for name in ("time_start", "time_end"))
    return Drawdown(Decimal(written["value"]), start, end)


def check_drawdown(check: Check, what: str, ours: Drawdown | None, expected: Json) -> None:
    """Compare a drawdown, or that there is none."""
    if ours is None or expected is None:
        check.equal(what, ours, expected)
        return
    wanted = drawdown(expected)
    check.equal(f"{what} value", ours.value, wanted.value)
    check.equal(f"{what} start", ours.time_start_ns, wanted.time_start_ns)
    check.equal(f"{what} end", ours.time_end_ns, wanted.time_end_ns)


def check_mean_drawdown(check: Check, what: str, ours: MeanDrawdown | None, expected: Json) -> None:
    """Compare a mean drawdown, or that there is none."""
    if ours is None or expected is None:
        check.equal(what, ours, expected)
        return
    check.equal(f"{what} value", ours.mean_drawdown, expected["mean_drawdown"])
    check.equal(f"{what} duration", ours.mean_drawdown_ms, int(expected["mean_drawdown_ms"]))


def run_drawdown(case: Case, check: Check) -> None:
    """Move a value and look at the generator and at what it emits."""
    generator = DrawdownGenerator()
    for i, step in enumerate(case.data["steps"]):
        emitted = generator.update(Decimal(step["value"]), reading.time_ns(step["time"]))
        expected = step["expected_state"]
        check.equal(f"step {i} peak", generator.peak, expected["peak"])
        check.equal(f"step {i} deepest", generator.drawdown_max, expected["drawdown_max"])
        check.equal(f"step {i} time of peak", generator.time_peak_ns, reading.time_ns(expected["time_peak"]))
        check.equal(f"step {i} now", generator.time_now_ns, reading.time_ns(expected["time_now"]))
        check_drawdown(check, f"step {i} emitted", emitted, step["expected_emitted"])
    check_drawdown(check, "running", generator.running(), case.data["expected_generate_now"])


def run_max_drawdown(case: Case, check: Check) -> None:
    """Hand drawdowns to the generator of the deepest."""
    generator = MaxDrawdownGenerator()
    for i, step in enumerate(case.data["steps"]):
        generator.update(drawdown(step["drawdown"]))
        check_drawdown(check, f"step {i}", generator.max, step["expected"])


def run_mean_drawdown(case: Case, check: Check) -> None:
    """Hand drawdowns to the generator of the mean."""
    generator = MeanDrawdownGenerator()
    for i, step in enumerate(case.data["steps"]):
        generator.update(drawdown(step["drawdown"]))
        check.equal(f"step {i} count", generator.count, int(step["expected"]["count"]))
        check_mean_drawdown(check, f"step {i}", generator.mean, step["expected"])


# Tear sheets


def run_asset_sheet(case: Case, check: Check) -> None:
    """Move a balance and generate the asset's sheet, twice: reading changes nothing."""
    generator = TearSheetAssetGenerator()
    if case.data["initial"] is not None:
        _tell_balance(generator, case.data["initial"]["total"], case.data["initial"]["time"])
    for i, step in enumerate(case.data["steps"]):
        _tell_balance(generator, step["balance_total"], step["time"])
        _check_tracker(check, f"step {i}", generator.drawdown, step["expected"])
    expected = case.data["expected_generate"]
    first, sheet = generator.generate(), generator.generate()
    assert first == sheet
    total = None if sheet.balance_end is None else sheet.balance_end.total
    wanted = expected["balance_end"]
    check.equal("balance", total, None if wanted is None else wanted["total"])
    check_drawdown(check, "drawdown", sheet.drawdown, expected["drawdown"])
    check_mean_drawdown(check, "mean drawdown", sheet.drawdown_mean, expected["drawdown_mean"])
    check_drawdown(check, "max drawdown", sheet.drawdown_max, expected["drawdown_max"])


def _tell_balance(generator: TearSheetAssetGenerator, total: str, time: str) -> None:
    generator.update_from_balance(Balance(Decimal(total), Decimal(total)), reading.time_ns(time))


def _check_tracker(check: Check, what: str, ours: DrawdownTracker, expected: Json) -> None:
    check.equal(f"{what} peak", ours.generator.peak, expected["peak"])
    check.equal(f"{what} deepest", ours.generator.drawdown_max, expected["drawdown_current_max"])
    check.equal(f"{what} time of peak", ours.generator.time_peak_ns, reading.time_ns(expected["time_peak"]))
    check.equal(f"{what} now", ours.generator.time_now_ns, reading.time_ns(expected["time_now"]))
    check.equal(f"{what} count", ours.mean.count, int(expected["mean_count"]))
    check_mean_drawdown(check, f"{what} mean", ours.mean.mean, expected["mean"])
    check_drawdown(check, f"{what} max", ours.max.max, expected["max"])


def run_tear_sheet(case: Case, check: Check) -> None:
    """Close positions and generate the instrument's sheet, without a capital base, which the reference has not."""
    start = reading.time_ns(case.data["time_engine_start"])
    generator = TearSheetGenerator(start)
    returns: list[Decimal] = []
    end = start
    for written in case.data["exits"]:
        pnl = Decimal(written["pnl_realised"])
        made = pnl_return(pnl, Decimal(written["price_entry_average"]), Decimal(written["quantity_abs_max"]))
        returns.append(made)
        end = reading.time_ns(written["time_exit"])
        generator.update(pnl, made, end)
    collected = case.data["expected_generator"]
    check.equal("pnl", generator.pnl_returns.pnl_raw, collected["pnl_raw"])
    check_data_set(check, "total", generator.pnl_returns.total, collected["total"])
    check_data_set(check, "losses", generator.pnl_returns.losses, collected["losses"])
    free, target = Decimal(case.data["risk_free_return"]), interval(case.data["interval"])
    first, sheet = generator.generate(free, target), generator.generate(free, target)
    assert first == sheet
    expected = case.data["expected"]
    check.equal("pnl", sheet.pnl, expected["pnl"])
    check_drawdown(check, "drawdown", sheet.pnl_drawdown, expected["pnl_drawdown"])
    check_mean_drawdown(check, "mean drawdown", sheet.pnl_drawdown_mean, expected["pnl_drawdown_mean"])
    check_drawdown(check, "max drawdown", sheet.pnl_drawdown_max, expected["pnl_drawdown_max"])
    _check_counts(check, sheet, returns, expected)
    seconds = max((end - start) // SECOND_NS, 1)
    for name, (rule, value) in _corrected(sheet, generator.pnl_returns, seconds, free).items():
        check.equal_or(rule, name, getattr(sheet, name), expected[name], value)


def _check_counts(check: Check, sheet: TearSheet, returns: list[Decimal], expected: Json) -> None:
    """Hold win rate and profit factor to wins and gross profits."""
    wins = [made for made in returns if made > 0]
    losses = [made for made in returns if made < 0]
    rate = Decimal(len(wins)) / len(returns) if returns else None
    check.equal_or("wins-not-losses", "win rate", sheet.win_rate, expected["win_rate"], rate)
    factor: Decimal | None = None
    zero = Decimal(0)
    if wins or losses:
        factor = DECIMAL_MAX if not losses else DECIMAL_MIN if not wins else sum(wins, zero) / -sum(losses, zero)
    check.equal_or("gross-profits", "profit factor", sheet.profit_factor, expected["profit_factor"], factor)


def _corrected(sheet: TearSheet, made: PnlReturns, seconds: int, free: Decimal) -> dict[str, tuple[str, Decimal]]:
    """Return what return and ratios are by the rules: n positions share the period, whose return is their sum."""
    count = max(made.total.count, 1)
    ratio = Decimal(sheet.interval.seconds) / seconds
    excess = made.total.sum - free * seconds / YEAR_SECONDS
    deepest = Decimal(0) if sheet.pnl_drawdown_max is None else sheet.pnl_drawdown_max.value
    deviation = made.total.std_dev
    return {
        "pnl_return": _scaled(made.total.sum, ratio),
        "sharpe_ratio": _scaled(excess / count / deviation if deviation else DECIMAL_MAX, (ratio * count).sqrt()),
        "sortino_ratio": _scaled(_over(excess / count, made.losses.std_dev), (ratio * count).sqrt()),
        "calmar_ratio": _scaled(_over(excess, deepest), ratio.sqrt()),
    }


def _scaled(value: Decimal, factor: Decimal) -> tuple[str, Decimal]:
    """Return a value times a factor, infinite where it was or becomes so, and the rule that says it."""
    if infinite(value) or infinite(value * factor):
        return "infinite-stays", DECIMAL_MAX.copy_sign(value)
    return "returns-of-a-period", value * factor


def _over(excess: Decimal, risk: Decimal) -> Decimal:
    if risk:
        return excess / risk
    return DECIMAL_MAX.copy_sign(excess) if excess else Decimal(0)


def in_engine_context(run: Runner) -> Runner:
    """Return the runner, computing as the core does: 29 digits, which the largest number needs."""

    def wrapped(case: Case, check: Check) -> None:
        before = enter_engine_context()
        try:
            run(case, check)
        finally:
            setcontext(before)

    return wrapped


WELFORD, DATA_SET = "engine/statistics_welford.json", "engine/statistics_dataset.json"
RATIOS, DRAWDOWN = "engine/statistics_ratios.json", "engine/statistics_drawdown.json"

_RUNNERS: dict[tuple[str, str], Runner] = {
    (WELFORD, "mean"): run_mean,
    (WELFORD, "integer_mean"): run_integer_mean,
    (WELFORD, "recurrence_relation_m"): run_recurrence,
    (WELFORD, "sample_variance"): run_variance,
    (WELFORD, "population_variance"): run_variance,
    (DATA_SET, "dataset_summary"): run_data_set,
    (DATA_SET, "range"): run_range,
    (RATIOS, "sharpe"): run_ratio,
    (RATIOS, "sortino"): run_ratio,
    (RATIOS, "calmar"): run_ratio,
    (RATIOS, "sharpe_scale"): run_scale,
    (RATIOS, "sortino_scale"): run_scale,
    (RATIOS, "calmar_scale"): run_scale,
    (RATIOS, "rate_of_return"): run_rate_of_return,
    (RATIOS, "rate_of_return_scale"): run_scale,
    (RATIOS, "win_rate"): run_win_rate,
    (RATIOS, "profit_factor"): run_profit_factor,
    (RATIOS, "time_interval"): run_interval,
    (DRAWDOWN, "drawdown"): run_drawdown,
    (DRAWDOWN, "max_drawdown"): run_max_drawdown,
    (DRAWDOWN, "mean_drawdown"): run_mean_drawdown,
    ("engine/balances.json", "tear_sheet_asset"): run_asset_sheet,
    ("engine/statistics_tearsheet.json", "tear_sheet"): run_tear_sheet,
}

RUNNERS = {place: in_engine_context(run) for place, run in _RUNNERS.items()}
