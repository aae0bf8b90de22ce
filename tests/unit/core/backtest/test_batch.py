"""Many backtests over one recording."""

from collections.abc import Callable

import pytest

from tests.support.builders import ALPHA, SECOND, engine_started, public_trade
from tradebus.core.backtest.batch import BacktestRun, MarketRecording, run_backtests
from tradebus.core.backtest.result import run_backtest
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy

LOST = MarketReconnecting(ALPHA, "lost")
TRADES = [public_trade(100 + i, time_ns=(5 - i) * SECOND) for i in range(3)]


def no_strategies() -> list[Strategy]:
    return []


def failing() -> list[Strategy]:
    raise LookupError("no such parameter")


def test_a_recording_begins_with_its_first_market_event() -> None:
    recording = MarketRecording([LOST, *TRADES, LOST])
    assert recording.events == [LOST, *TRADES, LOST]
    assert recording.time_first_ns == 5 * SECOND


@pytest.mark.parametrize("events", [[], [LOST]])
def test_a_recording_without_market_events_is_none(events: list[MarketReconnecting]) -> None:
    with pytest.raises(ValueError, match="expected at least one market event, found none"):
        MarketRecording(events)


def test_outcomes_come_in_the_order_of_the_runs_and_a_failure_is_one_of_them() -> None:
    recording = MarketRecording(TRADES)
    made: dict[str, Callable[[], list[Strategy]]] = {"b": no_strategies, "a": failing, "c": no_strategies}
    runs = [BacktestRun(name, engine_started(), strategies) for name, strategies in made.items()]
    outcomes = run_backtests(recording, runs)
    assert [outcome.id for outcome in outcomes] == ["b", "a", "c"]
    assert [outcome.problem for outcome in outcomes] == ["", "LookupError: no such parameter", ""]
    alone = run_backtest(TRADES, engine_started(), [], RiskManager())
    found = [outcome.result.digest for outcome in outcomes if outcome.result is not None]
    assert found == [alone.digest, alone.digest]
