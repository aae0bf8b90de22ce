"""A replica follows an engine tick by tick: nothing missing, nothing twice, nothing of its own."""

from decimal import Context, Decimal, getcontext, setcontext

import pytest

from tests.support.builders import (
    ALPHA,
    BTC,
    command_of,
    engine_of,
    engine_started,
    fill,
    filled,
    open_request,
    public_trade,
    setup_of,
)
from tests.support.scenario import Memory, Scripted, answer_once, assert_same_state, follow, same_data
from tradebus.core.engine.audit.replica import NotStarted, OutOfSequence, Replica
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick, DataPatched
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import ClockAdvanced, FeedEnded, Shutdown, TradingStateUpdate
from tradebus.core.engine.state.engine_state import initial_state
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision


def trading(followed_ticks: int = 3) -> tuple[Engine, Scripted, list[AuditTick]]:
    """An engine that sent an order and set a timer, with all its ticks."""
    strategy = Scripted(answer_once(Decision((), [open_request("")], [("t", 5)], (), [("note", "hello")])))
    engine = engine_of(strategy)
    ticks = [engine.start(0)]
    ticks += [engine.process(public_trade(), now) for now in range(1, followed_ticks + 1)]
    return engine, strategy, ticks


def test_a_replica_holds_what_is_in_flight_and_what_hooks_did() -> None:
    strategy = Scripted(
        answer_once(Decision((), [open_request("")])),
        disconnected=lambda state, _exchange: Decision((), [open_request("hook")], [("t", 9)]),
    )
    followed = follow(strategy)
    followed.process(public_trade())
    followed.process(MarketReconnecting(ALPHA, ""))
    followed.process(command_of(CancelOrders(ALL_INSTRUMENTS)))
    assert set(followed.replica.state.instruments[BTC].orders) == {"teste1s1n0", "hook"}
    assert len(followed.replica.state.timers) == 1


def test_a_replica_never_asks_a_strategy() -> None:
    engine, strategy, ticks = trading()
    asked = len(strategy.asked)
    replica = Replica(same_data([strategy]))
    for tick in ticks:
        replica.apply(tick)
    assert len(strategy.asked) == asked
    assert_same_state(engine, replica)


def test_before_the_start_record_there_is_no_state() -> None:
    _, strategy, ticks = trading()
    replica = Replica(same_data([strategy]))
    assert replica.is_started is False
    with pytest.raises(NotStarted):
        _ = replica.state
    for tick in (ticks[1], AuditTick(0, 0, ClockAdvanced(), (), ()), AuditTick(5, 0, FeedEnded(), (), ())):
        with pytest.raises(NotStarted, match=f"found tick {tick.sequence}"):
            replica.apply(tick)
    assert replica.apply(ticks[0])
    assert replica.state.trading is TradingState.ENABLED
    assert replica.started == ticks[0].event


def test_a_gap_is_refused_and_names_both_sequences() -> None:
    engine, strategy, ticks = trading()
    replica = Replica(same_data([strategy]))
    replica.apply(ticks[0])
    before = replica.hash()
    with pytest.raises(OutOfSequence, match="expected sequence 1, found 2") as raised:
        replica.apply(ticks[2])
    assert (raised.value.expected, raised.value.found) == (1, 2)
    assert (replica.hash(), replica.sequence) == (before, 0)
    for tick in ticks[1:]:
        assert replica.apply(tick)
    assert_same_state(engine, replica)


def test_duplicates_are_skipped_whatever_they_are() -> None:
    engine, strategy, ticks = trading()
    ticks.append(engine.process(Shutdown(), 9))
    replica = Replica(same_data([strategy]))
    for tick in ticks:
        assert replica.apply(tick)
        for old in ticks[: tick.sequence + 1]:
            assert not replica.apply(old)
        assert replica.is_ended is (tick is ticks[-1])
    assert_same_state(engine, replica)


def test_the_end_of_the_feed_is_a_tick_and_ends_even_out_of_order() -> None:
    engine, strategy, ticks = trading()
    ticks.append(engine.process(FeedEnded(), 9))
    replica = Replica(same_data([strategy]))
    for tick in ticks:
        replica.apply(tick)
    assert replica.is_ended
    assert replica.sequence == ticks[-1].sequence
    for sequence in (0, 99):
        early = Replica(same_data([strategy]))
        early.apply(ticks[0])
        early.apply(ticks[1])
        assert not early.apply(AuditTick(sequence, 0, FeedEnded(), NO_OUTPUTS, NO_ERRORS))
        assert (early.is_ended, early.sequence) == (True, 1)


def test_a_replica_goes_on_from_a_known_state() -> None:
    engine, strategy, ticks = trading()
    replica = Replica(same_data([strategy]))
    for tick in ticks[:2]:
        replica.apply(tick)
    other = Replica(same_data([strategy]))
    other.resume(replica.state, replica.sequence, replica.time_ns)
    for tick in ticks[2:]:
        assert other.apply(tick)
    assert_same_state(engine, other)


def test_a_new_start_record_begins_a_new_state() -> None:
    engine, strategy, ticks = trading()
    ticks.append(engine.process(Shutdown(), 9))
    again = Scripted()
    second = Engine(engine_started([setup_of(again.id)]), [again], RiskManager(), sequence=engine.sequence, epoch=5)
    ticks += [second.start(20), second.process(public_trade(), 21)]
    replica = Replica(same_data([strategy]))
    for tick in ticks:
        assert replica.apply(tick)
    assert not replica.is_ended
    assert_same_state(second, replica)


def test_where_a_strategys_class_is_not_available_the_core_is_followed_all_the_same() -> None:
    engine, _, ticks = trading()
    replica = Replica(lambda _setup, _index: None)
    for tick in ticks:
        replica.apply(tick)
    assert replica.hash().core == engine.hash().core
    assert replica.hash().user == ""
    assert not replica.hash().equals(engine.hash())


def test_replicas_of_one_engine_share_nothing() -> None:
    strategy = Scripted(answer_once(Decision(patches=[("items", [])])))
    followed = follow(strategy)
    other = Replica(same_data([strategy]))
    other.apply(followed.ticks[0])
    for _ in range(3):
        other.apply(followed.process(public_trade()))
    data = other.state.strategies[0].data
    assert isinstance(data, Memory)
    data.items.append("mine")
    assert_same_state(followed.engine, followed.replica)
    assert other.hash().user != followed.engine.hash().user


def test_a_failing_strategys_data_fails_alike_in_the_replica() -> None:
    class Fails(Memory):
        def process(self, state: object, event: object) -> None:
            raise ValueError(str(id(self)))

    followed = follow(Scripted(data=Fails))
    followed.process(public_trade())
    assert followed.replica.state.strategies[0].failure == "data.process raised ValueError"


@pytest.mark.parametrize("change", ["precision", "context"])
def test_a_replica_works_in_the_engines_context_whatever_the_caller_left(change: str) -> None:
    strategy = Scripted()
    engine = engine_of(strategy)
    ticks = [engine.start(0)]
    ticks += [engine.process(filled(fill(price=price, quantity=3)), 1) for price in ("1.23456789", "2.34567891")]
    replica = Replica(same_data([strategy]))
    for tick in ticks:
        if change == "precision":
            getcontext().prec = 3
        else:
            setcontext(Context(prec=3))
        replica.apply(tick)
    assert_same_state(engine, replica)
    position = replica.state.instruments[BTC].position
    assert position is not None
    assert position.price_entry_average == Decimal("1.790123400")


def test_a_patch_for_nobody_cannot_come_from_this_engine() -> None:
    followed = follow()
    tick = AuditTick(1, 0, ClockAdvanced(), (DataPatched(StrategyId("x"), "a", 1),), ())
    with pytest.raises(KeyError, match="no strategy 'x'"):
        followed.replica.apply(tick)


def test_initial_state_wants_data_for_each_strategy() -> None:
    started = engine_started([setup_of(StrategyId("a"))])
    with pytest.raises(ValueError, match="expected data for 1 strategies, found 0"):
        initial_state(started, [])


def test_only_the_journal_decides_whether_trading_is_on() -> None:
    followed = follow(started=engine_started(trading=TradingState.DISABLED))
    states = [followed.replica.state.trading]
    followed.process(TradingStateUpdate(TradingState.ENABLED, "operator"))
    states.append(followed.replica.state.trading)
    assert states == [TradingState.DISABLED, TradingState.ENABLED]
