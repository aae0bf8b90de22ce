"""Statistics of any run: every fill counted once, profits that add up, and reading that changes nothing."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.flow import market_flow, ready_made
from tests.support.scenario import same_data
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.backtest.result import BacktestOptions, BacktestResult, run_backtest
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.model.number import ZERO, enter_engine_context
from tradebus.core.risk.interface import RiskManager
from tradebus.core.statistics.capital import capital_of
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker
from tradebus.core.statistics.interval import ANNUAL_365
from tradebus.core.statistics.projection import TradingStatistics
from tradebus.strategies.loading import load_strategy

SEEDS = st.integers(0, 10**6)
PERIODS = st.sampled_from([0, 50_000_000, 1_000_000_000])
ROUNDING = Decimal("1e-18")


def run(seed: int, options: BacktestOptions) -> BacktestResult:
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    return run_backtest(market_flow(150, seed), started, strategies, RiskManager(), options)


@examples(40)
@given(seed=SEEDS, period_ns=PERIODS, close_out=st.booleans())
def test_profits_add_up_over_fills_instruments_and_strategies(seed: int, period_ns: int, close_out: bool) -> None:
    result = run(seed, BacktestOptions(close_out=close_out, equity_period_ns=period_ns))
    assert len(result.trades) == result.fills
    realised = sum((trade.pnl_realised for trade in result.trades), ZERO)
    assert realised == pytest.approx(result.pnl_realised.get("usdt", ZERO), abs=ROUNDING)
    sheet = result.summary.portfolios["usdt"]
    instruments = result.summary.instruments.values()
    assert sheet.pnl == pytest.approx(sum((each.pnl + each.pnl_open for each in instruments), ZERO), abs=ROUNDING)
    assert sheet.positions == sum(each.positions for each in instruments)
    assert sheet.turnover == sum((trade.value for trade in result.trades), ZERO)
    assert sum(each.activity.fills for each in result.summary.strategies.values()) == result.fills
    assert result.equity["usdt"][0].equity == sheet.capital_base
    times = [point.time_ns for point in result.equity["usdt"]]
    assert times == sorted(set(times))
    lowest = min([trade.equity for trade in result.trades] + [point.equity for point in result.equity["usdt"]])
    deepest = ZERO if sheet.drawdown_max is None else sheet.drawdown_max.value
    assert deepest >= (sheet.capital_base - lowest) / sheet.capital_base - ROUNDING


@examples(25)
@given(seed=SEEDS, period_ns=PERIODS)
@example(seed=1825, period_ns=50_000_000)  # ends where a period does
def test_a_replica_gives_the_same_statistics_as_the_engine(seed: int, period_ns: int) -> None:
    enter_engine_context()
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    engine = Engine(started, strategies, RiskManager())
    ticks: list[AuditTick] = []
    loop = VirtualTimeLoop(engine, simulated_exchanges(started), ticks.append)
    for event in market_flow(150, seed):
        loop.feed(event)
    loop.finish()
    replica = Replica(same_data(strategies))
    statistics: TradingStatistics | None = None
    for tick in ticks:
        while statistics is not None and replica.is_started and statistics.next_sample_ns < tick.time_ns:
            statistics.sample(replica.state)
        assert replica.apply(tick)
        if statistics is None:
            capital = capital_of(started.index, started.accounts)
            statistics = TradingStatistics(replica.state, tick.time_ns, capital, period_ns=period_ns)
        statistics.add(tick, replica.state)
    assert statistics is not None
    while statistics.next_sample_ns <= ticks[-1].time_ns:
        statistics.sample(replica.state)  # the end of the last period, where the run ends with it
    result = run(seed, BacktestOptions(equity_period_ns=period_ns))
    assert tuple(statistics.trades) == result.trades
    assert statistics.summary(replica.state, ticks[-1].time_ns, ZERO, ANNUAL_365) == result.summary
    assert statistics.equity() == result.equity


@examples(200)
@given(st.lists(st.decimals(1, 1000, places=3), min_size=1, max_size=40))
def test_a_drawdown_is_a_fraction_of_positive_values_and_none_while_they_rise(values: list[Decimal]) -> None:
    enter_engine_context()
    tracker = DrawdownTracker()
    for time_ns, value in enumerate(values):
        tracker.update(value, time_ns)
        sheet = tracker.sheet()
        assert sheet == tracker.sheet()
        assert (sheet.max is None) == (sheet.mean is None)
        assert sheet.max is None or 0 < sheet.max.value < 1
        assert sheet.running is None or sheet.running.time_end_ns == time_ns
    rises = all(a <= b for a, b in pairwise(values))
    assert (tracker.sheet().max is None) == rises
    ahead = tracker.sheet_with(Decimal(2000), len(values))
    assert ahead.running is None
    assert ahead.max == tracker.sheet().max or ahead.max is not None
