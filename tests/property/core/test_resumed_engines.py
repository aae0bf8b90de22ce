"""A history is cut anywhere, rebuilt from its stored ticks and gone on with: replica and engine stay equal."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.property.core.histories import History, Step, checks, histories
from tests.property.examples import examples
from tests.support.builders import setup_of, simulated_account, spot_definition, usual_index
from tests.support.scenario import Memory, Scripted, assert_same_state, check_invariants, same_data
from tests.support.user_data import GLOBAL, INSTRUMENT
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.growth import grown_index
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex, StrategyId
from tradebus.strategies.checks import load_risk
from tradebus.wire.codec.audit import tick_from_bytes, tick_to_bytes

GROWN = grown_index(
    usual_index(), [spot_definition(ExchangeId.BINANCE_SPOT, "ada"), spot_definition(ExchangeId.SIM_ALPHA, "ada")]
)
"""Another exchange, more assets and instruments, also on an exchange that is known."""


class NewRun:
    """What a later run is configured with: more of everything, other parameters, one strategy less, one more."""

    def __init__(self, history: History, *, grows: bool) -> None:
        before = history.engine.started
        kept = [strategy for strategy in history.strategies if not grows or strategy.id != "b"]
        self.strategies = [*kept, Scripted(strategy_id="new", data=Memory)] if grows else kept
        setups = [setup_of(strategy.id, size="2") for strategy in self.strategies] if grows else before.strategies
        accounts = (*before.accounts, simulated_account(ExchangeIndex(2), ())) if grows else before.accounts
        self.started = EngineStarted(
            before.engine_id,
            before.mode,
            "run-2",
            before.code,
            GROWN if grows else before.index,
            accounts,
            tuple(setups),
            TradingState.DISABLED,
            checks("3", "50")[1:] if grows else before.risk,
            GLOBAL,
            INSTRUMENT,
        )


def rebuilt(ticks: Sequence[AuditTick], history: History, more: Sequence[Scripted] = ()) -> Replica:
    """Return a replica that was fed from the stored bytes of ticks."""
    replica = Replica(same_data([*history.strategies, *more]), history.make_user_data)
    for tick in ticks:
        replica.apply(tick_from_bytes(tick_to_bytes(tick)))
    return replica


def check_kept(before: EngineState, after: EngineState) -> None:
    """Check that what was known is known, and that no link and no price is believed."""
    for old, new in zip(before.instruments, after.instruments, strict=False):
        assert (old.position, old.orders, old.exits, old.strategies) == (
            new.position,
            new.orders,
            new.exits,
            new.strategies,
        )
        assert new.data.is_stale
    assert [asset.balance for asset in before.assets] == [asset.balance for asset in after.assets[: len(before.assets)]]
    assert before.cursors == after.cursors[: len(before.cursors)]
    assert before.numbering == after.numbering
    assert before.trading is after.trading, "the trading state is the journal's"
    for links in after.connectivity:
        assert (links.market_data, links.account) == (Health.RECONNECTING, Health.RECONNECTING)
        assert links.link is AccountLink.HEALTHY


@examples(60)
@given(histories, histories, st.booleans(), st.integers(0, 3))
def test_an_engine_that_goes_on_is_followed_exactly(
    steps: Sequence[Step], later: Sequence[Step], grows: bool, earlier_ns: int
) -> None:
    history = History()
    ticks = [history.engine.start(0)]
    for step in steps:
        ticks.append(history.engine.process(history.next_event(step), history.now_ns))
        if ticks[-1].is_terminal:
            break
    recovered = rebuilt(ticks, history)
    assert_same_state(history.engine, recovered)
    run = NewRun(history, grows=grows)
    follower = rebuilt(ticks, history, run.strategies)
    before = rebuilt(ticks, history).state

    engine = Engine.restart(
        run.started,
        list(run.strategies),
        load_risk(run.started.risk, run.started.index),
        recovered.state,
        sequence=recovered.sequence,
        time_ns=recovered.time_ns,
        epoch=7,
        is_debug=True,
        make_strategy=history.make_strategy,
        make_risk=load_risk,
        make_user_data=history.make_user_data,
    )
    first = engine.start(recovered.time_ns - earlier_ns)
    assert (first.sequence, first.time_ns) == (recovered.sequence + 1, recovered.time_ns), "never back in time"
    assert first.event == EngineResumed(run.started)
    assert not first.outputs, "nothing is decided"
    apply_stored(follower, first)
    assert_same_state(engine, follower)
    check_kept(before, engine.state)
    check_configured(engine.state, run.started)

    history.engine = engine
    for step in later:
        try:
            tick = engine.process(history.next_event(step), history.now_ns)
        except InvalidEvent:
            assert isinstance(history.events[-1], ConfigChanged), "only of what this run has no more"
            continue
        apply_stored(follower, tick)
        assert_same_state(engine, follower)
        check_invariants(engine.state, "b")
        if tick.is_terminal:
            break


def apply_stored(follower: Replica, tick: AuditTick) -> None:
    assert follower.apply(tick_from_bytes(tick_to_bytes(tick)))


def check_configured(state: EngineState, started: EngineStarted) -> None:
    """Check that a state has what a run is configured with, and nothing else."""
    assert state.index == started.index
    assert (len(state.assets), len(state.instruments)) == (len(state.index.assets), len(state.index.instruments))
    assert len(state.connectivity) == len(state.cursors) == len(state.index.exchanges)
    assert [strategy.setup for strategy in state.strategies] == list(started.strategies)
    assert [check.setup for check in state.risk.checks] == list(started.risk)
    windows = [check.sent for check in state.risk.checks if check.scope() == "exchange"]
    assert all(len(sent) == len(state.index.exchanges) for sent in windows)
    known = {StrategyId(setup.id) for setup in started.strategies}
    assert {timer.strategy for timer in state.timers} <= known
