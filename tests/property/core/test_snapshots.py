"""A state comes back from its snapshot as it was, and an engine that goes on from it does what would have been done."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.property.core.histories import History, Step, histories
from tests.property.examples import examples
from tests.support.scenario import Followed, assert_same_state, same_data
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.record import field_values
from tradebus.strategies.checks import load_risk
from tradebus.wire.codec.snapshot import EngineSnapshot, snapshot_from_bytes, snapshot_of, snapshot_to_bytes


def snapshot_bytes(engine: Engine) -> bytes:
    """Return the bytes of a snapshot of an engine."""
    snapshot = snapshot_of(
        engine.started,
        engine.state,
        sequence=engine.sequence - 1,
        time_ns=engine.time_ns,
        epoch=engine.epoch,
        config_fingerprint="",
    )
    return snapshot_to_bytes(snapshot)


def shown(state: EngineState) -> list[str]:
    """Return the state to the letter: exponents of numbers and the order of orders too, which equality leaves out."""
    return [
        *(repr(value) for value in field_values(state) if value is not state.strategies),
        *(f"{strategy.setup} {strategy.plain()!r} {strategy.failure}" for strategy in state.strategies),
    ]


@examples(50)
@given(histories)
def test_a_state_comes_back_as_it_was(history_steps: Sequence[Step]) -> None:
    history = History()
    engine = history.engine
    engine.start(0)
    for step in history_steps:
        engine.process(history.next_event(step), history.now_ns)
    payload = snapshot_bytes(engine)
    found = snapshot_from_bytes(payload, same_data(history.strategies), history.make_user_data)
    assert found.state == engine.state
    assert found.started == engine.started
    assert found.head.hash.equals(engine.hash())
    assert shown(found.state) == shown(engine.state)
    assert snapshot_to_bytes(found) == payload
    without_classes = snapshot_from_bytes(payload, lambda _setup, _index: None)
    assert without_classes.head == found.head
    assert snapshot_to_bytes(without_classes) == payload


def resumed(snapshot: EngineSnapshot, history: History) -> Engine:
    """Return an engine that goes on from a snapshot."""
    head, state = snapshot.head, snapshot.state
    return Engine.resume(
        snapshot.started,
        list(history.strategies),
        load_risk([check.setup for check in state.risk.checks], state.index),
        state,
        sequence=head.sequence,
        time_ns=head.time_ns,
        epoch=head.engine_epoch,
        is_debug=True,
        make_strategy=history.make_strategy,
        make_risk=load_risk,
    )


@examples(50)
@given(histories, st.integers(0, 40))
def test_an_engine_that_goes_on_from_a_snapshot_makes_the_same_ticks(history_steps: Sequence[Step], at: int) -> None:
    history = History()
    engine = history.engine
    engine.start(0)
    at %= len(history_steps)
    for step in history_steps[:at]:
        if engine.process(history.next_event(step), history.now_ns).is_terminal:
            return  # a journal that has ended is not gone on with
    snapshot = snapshot_from_bytes(snapshot_bytes(engine), same_data(history.strategies), history.make_user_data)
    again = resumed(snapshot, history)
    other = snapshot_from_bytes(snapshot_bytes(engine), same_data(history.strategies), history.make_user_data)
    replica = Replica(same_data(history.strategies), history.make_user_data)
    replica.resume(other.state, other.head.sequence, other.head.time_ns, other.started)
    for step in history_steps[at:]:
        event = history.next_event(step)
        tick = engine.process(event, history.now_ns)
        tick_again = again.process(event, history.now_ns)
        assert tick_again == tick
        assert canonical_text(tick_again) == canonical_text(tick)
        assert replica.apply(tick)
        assert_same_state(again, replica)
        if tick.is_terminal:
            break
    assert again.state == engine.state
    assert again.hash().equals(engine.hash())
    assert shown(again.state) == shown(engine.state)


@examples(20)
@given(histories)
def test_a_replica_without_the_classes_says_what_it_knows(history_steps: Sequence[Step]) -> None:
    history = History()
    followed = Followed(history.engine, history.strategies, history.make_user_data)
    followed.start()
    engine = history.engine
    found = snapshot_from_bytes(snapshot_bytes(engine), lambda _setup, _index: None)
    replica = Replica(lambda _setup, _index: None)
    replica.resume(found.state, found.head.sequence, found.head.time_ns, found.started)
    assert replica.hash().equals(engine.hash())
    for step in history_steps:
        tick = followed.process(history.next_event(step), history.now_ns)
        before = engine.state.strategies[0].plain()
        assert replica.apply(tick)
        assert replica.hash().core == engine.hash().core
        assert replica.hash().user in {"", engine.hash().user}
        kept = replica.state.strategies[0].plain()
        assert kept is None or kept == before
        if tick.is_terminal:
            break
