"""Copy and pickle keep a value whole or refuse, in both builds alike: nothing is lost without a word."""

from collections.abc import Callable
from copy import copy, deepcopy
from pickle import dumps, loads
from typing import Any

import pytest

from tests.support import history
from tests.support.builders import engine_of, filled, order_told, public_trade
from tests.support.builders import fill as fill_of
from tests.support.full_state import full_run, full_state
from tests.support.scenario import Followed, Memory, Scripted
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.strategy_data import KeptData
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager


def pickled(value: Any) -> Any:
    """Return what comes back from a pickle."""
    return loads(dumps(value))  # noqa: S301 - our own pickle of a moment ago


WAYS = [copy, deepcopy, pickled]
Way = Callable[[Any], Any]


def state_without_strategies() -> EngineState:
    """Return a state in which much has happened, and no strategy."""
    followed = Followed(engine_of(), [])
    followed.start()
    followed.process(public_trade(), 12)
    followed.process(filled(fill_of("a", Side.BUY, 90, 1, 1), 5, 1))
    full = full_state()
    state = followed.engine.state
    state.instruments[0].orders.update(full.instruments[0].orders)
    return state


@pytest.mark.parametrize("way", WAYS)
def test_ticks_of_every_kind_come_back_equal(way: Way) -> None:
    _, ticks, _ = history.run()
    for tick in ticks:
        again = way(tick)
        assert again == tick
        assert repr(again) == repr(tick)
        assert canonical_text(again) == canonical_text(tick)


@pytest.mark.parametrize("way", WAYS)
def test_parts_of_a_state_come_back_equal(way: Way) -> None:
    state = full_state()
    for instrument in state.instruments:
        instrument.user_data = None  # user code refuses to be copied, as a strategy's data does
    parts: list[Record] = [
        state.index,
        *state.connectivity,
        *state.assets,
        *state.instruments,
        *state.cursors,
        *state.timers,
        state.strategies[0].setup,
    ]
    for part in parts:
        again = way(part)
        assert again is not part
        assert again == part
    assert way(state.index).fingerprint() == state.index.fingerprint()


@pytest.mark.parametrize("way", [deepcopy, pickled])
def test_a_copied_state_is_equal_and_on_its_own(way: Way) -> None:
    state = state_without_strategies()
    again = way(state)
    assert again == state
    assert again.time_ns == state.time_ns == 12
    assert hash_state(again) == hash_state(state)
    again.instruments[0].orders.clear()
    again.instruments[0].exits.count = 50
    again.cursors[0].cause = 70
    assert hash_state(state) == hash_state(state_without_strategies()) != hash_state(again)


@pytest.mark.parametrize("way", [deepcopy, pickled])
@pytest.mark.parametrize("data", [Memory(), KeptData({"a": 1})])
def test_what_strategies_remember_refuses_and_so_does_a_state_with_it(way: Way, data: object) -> None:
    with pytest.raises(TypeError, match="use to_plain and from_plain"):
        way(data)
    with pytest.raises(TypeError, match="use to_plain and from_plain"):
        way(full_state())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (full_run().engine, "take a snapshot"),
        (full_run().replica, "take a snapshot"),
        (engine_of(), "take a snapshot"),
        (Replica(lambda _setup, _index: None), "take a snapshot"),
        (Scripted(), "make strategies from their setup"),
        (RiskManager(), "make risk managers from their configuration"),
    ],
)
def test_what_has_a_life_of_its_own_refuses(way: Way, value: object, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        way(value)


def test_an_engine_that_refused_goes_on() -> None:
    engine: Engine = full_run().engine
    before = engine.hash()
    with pytest.raises(TypeError):
        deepcopy(engine)
    assert engine.hash() == before
    assert engine.process(order_told(engine.state.instruments[0].orders["open0"]), 100).sequence > 0  # type: ignore[index]
