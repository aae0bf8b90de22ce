"""What ticks say is the same in every build, on every Python, and as it was stored.

The files in ``tests/golden/core`` hold the text that digests are made of, a line for each tick, and the hashes after
the last one. ``python -m tests.unit.core.test_golden`` writes what is missing. A change of behaviour that is meant is
accepted by removing a file, writing it anew and saying why.
"""

from pathlib import Path

import pytest

from tests.support import history
from tests.support.flow import market_flow, ready_made
from tests.support.scenario import assert_same_state, same_data
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import RunDigest, digest_text, hash_state
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.risk.interface import RiskManager
from tradebus.strategies.loading import load_strategy

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "core"


def shown(ticks: list[AuditTick], state: EngineState) -> str:
    """Return the text of a run: its ticks, its digest, and the hashes of the state it ends in."""
    digest = RunDigest()
    lines: list[str] = []
    for tick in ticks:
        digest.add(tick)
        lines.append(digest_text(tick).replace("\\", "\\\\").replace("\n", "\\n"))
    hashes = hash_state(state)
    return "\n".join([*lines, f"digest {digest.hexdigest()}", f"core {hashes.core}", f"user {hashes.user}", ""])


def history_text() -> str:
    """Return the text of the history in which everything happens."""
    engine, ticks, _ = history.run()
    return shown(ticks, engine.state)


def backtest_text() -> str:
    """Return the text of a backtest of the ready-made strategies."""
    started = ready_made()
    strategies = [load_strategy(each, started.index) for each in started.strategies]
    engine = Engine(started, strategies, RiskManager())
    ticks: list[AuditTick] = []
    loop = VirtualTimeLoop(engine, simulated_exchanges(started), ticks.append)
    for event in market_flow(150, seed=9):
        loop.feed(event)
    loop.finish()
    return shown(ticks, engine.state)


RUNS = {"history.txt": history_text, "backtest.txt": backtest_text}


@pytest.mark.parametrize("name", RUNS)
def test_stored_run_is_repeated_to_the_letter(name: str) -> None:
    stored = (FOLDER / name).read_text(encoding="utf-8").split("\n")
    found = RUNS[name]().split("\n")
    for number, (wanted, line) in enumerate(zip(stored, found, strict=False)):
        assert line == wanted, f"{name}, line {number + 1}"
    assert len(found) == len(stored)


def test_history_holds_everything_an_engine_knows() -> None:
    text = (FOLDER / "history.txt").read_text(encoding="utf-8")
    kinds = [
        *("MarketEvent(", "PublicTrade(", "BookL1(", "MarketGap(", "MarketReconnecting("),
        *("BookL2Snapshot(", "BookL2Update(", "Candle(", "Liquidation("),
        *("AccountReconnecting(", "AccountLinkChanged(", "SnapshotReceived(", "BalanceReceived(", "OrderReceived("),
        *(
            "CancelAnswered(",
            "TradeReceived(",
            "FundingReceived(",
            "OwnerChanged(",
            "TradingStateUpdate(",
            "ClockAdvanced(",
            "TimerFired(",
        ),
        *("RequestInDoubt(", "RequestNeverReceived(", "OpenFailed("),
        *("SendOpenRequests(", "SendCancelRequests(", "ClosePositions(", "CancelOrders(", "AllInstruments("),
        *("ByExchanges(", "ByInstruments(", "ByUnderlyings("),
        *("RequestsDecided(", "PositionExit(", "TimerSet(", "TimerCleared(", "DataPatched(", "Halted("),
        *("FailedCancel(", "RefusedOpen(", "RiskOverridden(", "ConfigChanged(", "EngineError("),
    ]
    assert [kind for kind in kinds if kind not in text] == []


def test_history_is_followed_by_a_replica() -> None:
    engine, ticks, strategies = history.run()
    replica = Replica(same_data(strategies))
    for tick in ticks:
        assert replica.apply(tick)
    assert_same_state(engine, replica)
    assert ticks[-1].is_terminal


if __name__ == "__main__":
    for file, make in RUNS.items():
        if not (FOLDER / file).exists():
            (FOLDER / file).write_text(make(), encoding="utf-8")
