"""Run a backtest in this process: no broker, no services, one call."""

from collections.abc import Iterable, Sequence

from tradebus.core.backtest.result import BacktestResult, run_backtest
from tradebus.core.engine.event import EngineStarted
from tradebus.core.market.event import MarketEvent
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.checks import load_risk
from tradebus.strategies.loading import load_strategy


def backtest(
    events: Iterable[MarketEvent],
    started: EngineStarted,
    strategies: Sequence[Strategy] | None = None,
    risk: RiskManager | None = None,
) -> BacktestResult:
    """Run an engine with its simulated exchanges over ``events`` in virtual time and return what came of it.

    ``started`` says what is traded, through which accounts, by which strategies and under which risk checks; these
    are made from their class paths unless given. Events must come in the order of their receive time. The same input
    gives the same digest in any process, and the same one as a replay of it through the services.
    """
    made = list(strategies) if strategies is not None else [load_strategy(s, started.index) for s in started.strategies]
    return run_backtest(events, started, made, risk or load_risk(started.risk, started.index))
