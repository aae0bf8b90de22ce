"""Run many backtests over one recording: the events are in memory once, each run has its own engine.

A run that fails leaves the others alone; its outcome says why.

Source: barter 0.12.5 ``backtest``, where the first failure discards every result.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar, Final, final

from tradebus.core.backtest.result import BacktestResult, run_backtest
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.record import Record
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy


@final
class MarketRecording:
    """The market events of a recording, in its order, lost links and gaps among them; of what else is in it nothing.

    ``time_first_ns`` is when the first was received, where that is known, else when it happened. Raises ValueError for
    a recording without market events: no engine could begin with it.
    """

    def __init__(self, events: Iterable[EngineEvent]) -> None:
        kept = (MarketEvent, MarketReconnecting, MarketGap)
        self.events: Final[list[EngineEvent]] = [event for event in events if isinstance(event, kept)]
        market = [event for event in self.events if isinstance(event, MarketEvent)]
        if not market:
            raise ValueError("expected at least one market event, found none")
        first = market[0]
        self.time_first_ns: Final = first.time_received_ns or first.time_exchange_ns


@final
class BacktestRun:
    """One backtest of a batch. Strategies and risk manager are made anew for it, since they remember."""

    def __init__(
        self,
        id: str,
        started: EngineStarted,
        strategies: Callable[[], list[Strategy]],
        risk: Callable[[], RiskManager] = RiskManager,
    ) -> None:
        self.id: Final = id
        self.started: Final = started
        self.strategies: Final = strategies
        self.risk: Final = risk


@final
class BacktestOutcome(Record):
    """What became of one run: a result, and what went wrong (empty: nothing). Without a result that ended the run."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "result", "problem")

    def __init__(self, id: str, result: BacktestResult | None, problem: str) -> None:
        self.id: Final = id
        self.result: Final = result
        self.problem: Final = problem


def run_backtests(recording: MarketRecording, runs: Iterable[BacktestRun]) -> list[BacktestOutcome]:
    """Run backtests one after the other and return an outcome for each, in the order of the runs."""
    return [_outcome(recording, run) for run in runs]


def _outcome(recording: MarketRecording, run: BacktestRun) -> BacktestOutcome:
    try:
        result = run_backtest(recording.events, run.started, run.strategies(), run.risk())
    except Exception as error:  # noqa: BLE001 - strategies are the user's, and one may fail in any way
        return BacktestOutcome(run.id, None, f"{type(error).__name__}: {error}")
    problem = "; ".join([f"{halt.strategy}: {halt.reason}" for halt in result.halts])
    return BacktestOutcome(run.id, result, problem)
