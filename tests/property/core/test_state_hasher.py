"""A hash that is taken again and again is that of the whole state, whatever has changed in between and however."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.property.core.histories import History, Step, histories
from tests.property.examples import examples
from tradebus.core.engine.audit.state_hash import StateHasher, core_text, hash_state


@examples(80)
@given(histories)
def test_after_every_tick_the_hash_is_that_of_the_whole_state(history_steps: Sequence[Step]) -> None:
    history = History()
    engine = history.engine
    hasher = StateHasher()
    assert hasher.core_text(engine.state) == core_text(engine.state)
    engine.start(0)
    for step in history_steps:
        engine.process(history.next_event(step), history.now_ns)
        assert hasher.core_text(engine.state) == core_text(engine.state)
        assert hasher.hash(engine.state) == engine.hash() == hash_state(engine.state)


@examples(40)
@given(histories, st.integers(2, 9))
def test_however_seldom_it_is_taken(history_steps: Sequence[Step], every: int) -> None:
    history = History()
    engine = history.engine
    engine.start(0)
    hasher = StateHasher()
    for number, step in enumerate(history_steps):
        engine.process(history.next_event(step), history.now_ns)
        if number % every == 0:
            assert hasher.core_text(engine.state) == core_text(engine.state)
    assert hasher.core_text(engine.state) == core_text(engine.state)


@examples(20)
@given(histories, histories)
def test_one_hasher_may_be_given_several_states(first: Sequence[Step], second: Sequence[Step]) -> None:
    hasher = StateHasher()
    runs = [(History(), iter(steps)) for steps in (first, second)]
    for history, _ in runs:
        history.engine.start(0)
    for _ in range(max(len(first), len(second))):
        for history, steps in runs:
            step = next(steps, None)
            if step is not None:
                history.engine.process(history.next_event(step), history.now_ns)
            assert hasher.core_text(history.engine.state) == core_text(history.engine.state)
