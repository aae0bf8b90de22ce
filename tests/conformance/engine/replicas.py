"""Run the vectors of runners and replicas, and of a backtest's first event."""

from decimal import Decimal
from typing import Any

import pytest

from tests.conformance.engine import reading, world
from tests.conformance.engine.market import market_event
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import asset_balance, balance_told, cancel_of, command_of, open_request
from tests.support.scenario import Memory, Scripted
from tradebus.core.backtest.batch import BacktestRun, MarketRecording, run_backtests
from tradebus.core.backtest.loop import VirtualTimeLoop
from tradebus.core.engine.apply import apply_event
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import OutOfSequence, Replica
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.core.engine.command import SendCancelRequests, SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountReconnecting,
    FeedEnded,
    Shutdown,
    StrategySetup,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.link import Health
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, StrategyId
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager
from tradebus.running import EventClock, run


def _index() -> Any:
    return world.index_of(["a"], [{"index": 0}], [{"index": 0, "exchange": "a", "name": "b"}])


def _market() -> EngineEvent:
    return market_event(1, PublicTrade("", Decimal(1), Decimal(1), Side.BUY))


def _audit_kind(tick: AuditTick) -> str:
    if isinstance(tick.event, FeedEnded):
        return "feed_ended"
    return "process_shutdown" if isinstance(tick.event, Shutdown) else "process"


def run_runner(case: Case, check: Check) -> None:
    """Feed events to an engine until a tick is terminal; the feed's end is an event too."""
    expected = case.data["expected"]
    engine = Engine(world.start_record(_index()), [], RiskManager())
    if case.data.get("snapshot_first", False):
        # Our start record stands where the reference's snapshot does: it uses up a sequence number.
        check.equal("snapshot_sequence", engine.start(0).sequence, expected["snapshot_sequence"])
    events = {"market": _market, "shutdown": Shutdown}
    feed: list[EngineEvent] = [events[name]() for name in case.data["feed"]]
    ticks: list[AuditTick] = []

    def sink(tick: AuditTick) -> None:
        if len(ticks) == case.data.get("audit_receiver_dropped_after"):
            raise ConnectionError("the receiver is gone")
        ticks.append(tick)

    last = run(engine, feed, EventClock(), sink)
    audits = [_audit_kind(tick) for tick in ticks]
    check.equal("return_value", _audit_kind(last), expected["return_value"])
    check.equal("terminal", last.is_terminal, expected=True)
    if "audits" in expected:
        check.equal("audits", audits, expected["audits"])
        check.equal("sequences", [tick.sequence for tick in ticks], expected["sequences"])
    if "audits_delivered" in expected:
        check.equal("audits_delivered", audits, expected["audits_delivered"])
    check.differs("nothing-to-shut-down", "execution_shutdown_sent", hasattr(engine, "shutdown"), our_value=False)


def run_replica(case: Case, check: Check) -> None:
    """Apply updates to a replica that goes on from a snapshot."""
    replica = Replica(lambda _setup, _index: None)
    replica.resume(world.state_of(_index()), case.data["snapshot_sequence"], 0)
    audits: dict[str, EngineEvent] = {
        "process_market": _market(),
        "process_shutdown": Shutdown(),
        "feed_ended": FeedEnded(),
    }
    applied: list[int] = []
    result = "ok_feed_ended"
    ends_counted = 0
    for update in case.data["updates"]:
        tick = AuditTick(update["sequence"], 0, audits[update["audit"]], NO_OUTPUTS, NO_ERRORS)
        try:
            is_new = replica.apply(tick)
        except OutOfSequence as error:
            check.equal("error", (error.expected, error.found), (replica.sequence + 1, update["sequence"]))
            result = "error_out_of_order"
            break
        if isinstance(tick.event, FeedEnded):
            # Ours counts the end of a feed as the last tick, where it comes in order.
            ends_counted += int(is_new)
        elif is_new:
            applied.append(tick.sequence)
        if replica.is_ended:
            result = "ok_feed_ended" if isinstance(tick.event, FeedEnded) else "ok_shutdown"
            break
    expected = case.data["expected"]
    check.equal("result", result, expected["result"])
    check.equal("applied_sequences", applied, expected["applied_sequences"])
    check.equal("final_sequence", replica.sequence - ends_counted, expected["final_sequence"])


def _parts(state: EngineState) -> dict[str, str]:
    return {
        "trading": canonical_text(state.trading),
        "connectivity": canonical_text(list(state.connectivity)),
        "global": canonical_text([found.data.to_plain() for found in state.strategies if found.data is not None]),
        "instrument_data": canonical_text([found.data for found in state.instruments]),
        "assets": canonical_text(list(state.assets)),
        "orders": canonical_text([list(found.orders.values()) for found in state.instruments]),
        "position": canonical_text([found.position for found in state.instruments]),
    }


def run_replica_event_effect(case: Case, check: Check) -> None:
    """See which parts of a replica's state an event changes by itself; ``global`` is what strategies remember."""
    index = _index()
    strategy = Scripted(data=Memory)
    started = world.start_record(index, [StrategySetup(StrategyId("s"), "", ())])
    state = initial_state(started, [strategy.initial_data()])
    links = state.connectivity[0]
    links.market_data = links.account = Health.HEALTHY
    events: dict[str, EngineEvent] = {
        "shutdown": Shutdown(),
        "command": command_of(SendOpenRequests((open_request(),))),
        "command_cancel": command_of(SendCancelRequests((cancel_of(),))),
        "trading_state": TradingStateUpdate(TradingState.ENABLED, "operator"),
        "account_reconnecting": AccountReconnecting(ExchangeIndex(0), ""),
        "market_reconnecting": MarketReconnecting(ExchangeIndex(0), ""),
        "market_item": _market(),
        "account_item": balance_told(asset_balance(0)),
    }
    name = case.data["event"]
    if name.endswith("_item"):
        links.market_data = links.account = Health.RECONNECTING
    before = _parts(state)
    apply_event(state, events[name])
    after = _parts(state)
    changed = {part for part in before if before[part] != after[part]}
    if name == "market_reconnecting":
        changed -= {"instrument_data"}  # the mark that the data is stale, which the reference does not keep
    expected = case.data["expected_state_change"]
    check.equal("state change", changed, set() if expected == "none" else set(expected.split("+")))


def _trade(time_ns: int) -> MarketEvent:
    return market_event(time_ns, PublicTrade("", Decimal(1), Decimal(1), Side.BUY))


def run_backtest(case: Case, check: Check) -> None:
    """Begin a backtest at the time of its first event; run several, and tell which is which."""
    expected = case.data["expected"]
    if "ids" in case.data:
        runs = [BacktestRun(name, world.start_record(_index()), list) for name in case.data["ids"]]
        outcomes = run_backtests(MarketRecording([_trade(1)]), runs)
        check.equal("num_backtests", len(outcomes), expected["num_backtests"])
        check.equal("summary_ids", [outcome.id for outcome in outcomes], expected["summary_ids"])
        check.equal("problems", {outcome.problem for outcome in outcomes} - {""}, set())
        return
    events = [
        _trade(reading.time_ns(event["item"])) if "item" in event else MarketReconnecting(ExchangeIndex(0), "")
        for event in case.data["events"]
    ]
    if expected.get("error"):
        with pytest.raises(ValueError, match="at least one market event"):
            MarketRecording(events)
        return
    recording = MarketRecording(events)
    check.equal("time_first_event", recording.time_first_ns, reading.time_ns(expected["time_first_event"]))
    ticks: list[AuditTick] = []
    loop = VirtualTimeLoop(Engine(world.start_record(_index()), [], RiskManager()), [], ticks.append)
    for event in recording.events:
        if isinstance(event, MarketEvent):
            loop.feed(event)
    check.equal("time of the first tick", ticks[0].time_ns, recording.time_first_ns)


RUNNERS = {
    ("engine/replica_runner.json", "runner"): run_runner,
    ("engine/replica_runner.json", "replica"): run_replica,
    ("engine/replica_runner.json", "replica_event_effect"): run_replica_event_effect,
    ("engine/config_backtest.json", "backtest"): run_backtest,
}
