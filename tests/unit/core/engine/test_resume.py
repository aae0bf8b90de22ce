"""An engine goes on from a state; what does not fit is refused, saying what."""

from collections.abc import Callable

import pytest

from tests.support.builders import engine_of, engine_started, public_trade, setup_of, usual_index
from tests.support.builders import steps as specification
from tests.support.scenario import Memory, Scripted
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import ClockAdvanced, EngineStarted
from tradebus.core.engine.resume import CannotResume
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.strategy_data import KeptData
from tradebus.core.risk.interface import RiskManager


def stopped() -> tuple[Engine, Scripted]:
    """Return an engine after two ticks, and its strategy."""
    strategy = Scripted()
    engine = engine_of(strategy, started=engine_started([setup_of(strategy.id)]))
    engine.start(5)
    engine.process(public_trade(), 7)
    return engine, strategy


def resume(engine: Engine, strategy: Scripted, started: EngineStarted | None = None) -> Engine:
    """Return an engine that goes on from another's state."""
    return Engine.resume(
        started or engine.started,
        [strategy],
        RiskManager(),
        engine.state,
        sequence=engine.sequence - 1,
        time_ns=engine.time_ns,
        epoch=4,
    )


def test_a_resumed_engine_goes_on_with_the_next_tick_and_never_back_in_time() -> None:
    engine, strategy = stopped()
    again = resume(engine, strategy)
    assert again.state is engine.state
    assert again.epoch == 4
    tick = again.process(ClockAdvanced(), 3)
    assert (tick.sequence, tick.time_ns) == (2, 7)


def test_a_resumed_engine_takes_the_time_of_the_last_tick_which_a_state_does_not_hold() -> None:
    engine, strategy = stopped()
    time_ns, engine.state.time_ns = engine.state.time_ns, 0
    again = Engine.resume(engine.started, [strategy], RiskManager(), engine.state, sequence=1, time_ns=time_ns, epoch=4)
    assert again.process(ClockAdvanced(), 3).time_ns == time_ns == 7


def test_a_resumed_engine_has_its_start_record_already() -> None:
    engine, strategy = stopped()
    again = resume(engine, strategy)
    with pytest.raises(ValueError, match="expected to go on at sequence 2"):
        again.start(8)
    assert again.sequence == 2


def _kept(state: EngineState) -> None:
    state.strategies[0].data = KeptData({"seen": 1})


def _missing(state: EngineState) -> None:
    state.strategies[0].data = None


def _other(state: EngineState) -> None:
    state.strategies[0].setup = setup_of(Scripted(strategy_id="other").id)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_kept, r"\['s'\] remember is not known"),
        (_missing, r"\['s'\] remember is not known"),
        (_other, r"expected the strategies \['s'\], found \['other'\]"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(damage: Callable[[EngineState], None], reason: str) -> None:
    engine, strategy = stopped()
    damage(engine.state)
    with pytest.raises(CannotResume, match=reason):
        resume(engine, strategy)


def test_a_state_of_another_index_is_refused() -> None:
    engine, strategy = stopped()
    other = engine_started([setup_of(strategy.id)], index=usual_index(specification("0.1")))
    with pytest.raises(CannotResume, match="expected the index"):
        resume(engine, strategy, other)


def test_the_strategies_must_be_those_of_the_start_record() -> None:
    engine, _ = stopped()
    with pytest.raises(ValueError, match="expected strategies"):
        resume(engine, Scripted(strategy_id="other"))


def test_what_a_strategy_remembers_is_the_states_and_not_new() -> None:
    engine, _ = stopped()
    again = resume(engine, Scripted())
    data = again.state.strategies[0].data
    assert isinstance(data, Memory)
    assert data.seen == 1
