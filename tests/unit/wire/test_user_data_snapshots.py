"""User-defined data comes back from a snapshot as it was, or is kept as plain values, or is refused."""

from typing import Any

import pytest

from tests.golden.snapshot.corpus import full_data, full_snapshot
from tests.support.builders import BTC, cancel_of, command_of, fill, filled, open_request, public_trade
from tests.support.full_state import Everything, EverythingOfAll, EverythingOfOne, full_run, full_user_data
from tests.support.scenario import Scripted
from tests.support.user_data import Diary, InstrumentDiary, factory
from tradebus.core.engine.apply import apply_event, apply_output
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.command import SendCancelRequests, SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resume import CannotResume
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_data import KeptGlobalData, KeptInstrumentData
from tradebus.core.risk.interface import RiskManager
from tradebus.wire.codec.error import DataNotRestored
from tradebus.wire.codec.snapshot import snapshot_from_bytes, snapshot_to_bytes

A_MINUTE_NS = 60_000_000_000
"""Later than any rate limit counts back."""
PAYLOAD = snapshot_to_bytes(full_snapshot())


def without_classes() -> EngineState:
    """Return the full state where the classes of user-defined data are not available."""
    state = snapshot_from_bytes(PAYLOAD, full_data).state
    assert state.global_data is not None
    assert isinstance(state.global_data.data, KeptGlobalData)
    for instrument in state.instruments:
        assert instrument.user_data is not None
        assert isinstance(instrument.user_data.data, KeptInstrumentData)
        instrument.user_data.failure = ""
    state.global_data.failure = ""
    return state


def test_data_comes_back_as_it_was() -> None:
    found = snapshot_from_bytes(PAYLOAD, full_data, full_user_data)
    assert found.state == full_run().engine.state
    assert snapshot_to_bytes(found) == PAYLOAD


def test_without_its_class_data_is_kept_and_nobody_is_given_it() -> None:
    state = without_classes()
    for ask in (state.find_global_data, lambda: state.find_instrument_data(BTC)):
        with pytest.raises(KeyError, match="its class could not be loaded"):
            ask()
    assert hash_state(state).user != ""
    assert state.instruments[BTC].price() == state.instruments[BTC].data.price()


@pytest.mark.parametrize(
    "event",
    [
        public_trade(),
        filled(fill()),
        command_of(SendOpenRequests((open_request("new", quantity=6),))),
        command_of(SendCancelRequests((cancel_of("new"),))),
    ],
)
def test_what_is_kept_is_not_known_any_more_after_an_event(event: EngineEvent) -> None:
    state = without_classes()
    tick = full_run().engine.process(event, A_MINUTE_NS)
    apply_event(state, event)
    for output in tick.outputs:
        apply_output(state, output)
    own = state.instruments[BTC].user_data
    assert own is not None
    assert own.plain() is None
    assert hash_state(state).user == ""


def test_an_engine_does_not_go_on_without_the_classes() -> None:
    snapshot = snapshot_from_bytes(PAYLOAD, full_data)
    with pytest.raises(CannotResume, match=r"what the data \['mine:Diary', 'mine:Everything'\] keeps is not known"):
        _resume(snapshot.started, snapshot.state)


def test_an_engine_does_not_go_on_with_other_data() -> None:
    snapshot = snapshot_from_bytes(PAYLOAD, full_data, full_user_data)
    snapshot.state.global_data = None
    with pytest.raises(CannotResume, match="expected the global data DataSetup"):
        _resume(snapshot.started, snapshot.state)
    snapshot = snapshot_from_bytes(PAYLOAD, full_data, full_user_data)
    snapshot.state.instruments[1].user_data = None
    with pytest.raises(CannotResume, match="expected the instrument data DataSetup"):
        _resume(snapshot.started, snapshot.state)


def _resume(started: Any, state: EngineState) -> Engine:
    return Engine.resume(started, [Scripted(data=Everything)], RiskManager(), state, sequence=1, time_ns=1)


class ForgetsAll(Diary):
    """Takes nothing back."""

    def from_plain(self, plain: dict[str, object]) -> None:
        pass


class Raises(InstrumentDiary):
    """Fails when it is to take something back."""

    def from_plain(self, plain: dict[str, object]) -> None:
        raise KeyError("mine")


WRONG_GLOBAL = factory(EverythingOfOne, EverythingOfOne)  # type: ignore[arg-type]
WRONG_INSTRUMENT = factory(EverythingOfAll, EverythingOfAll)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (factory(ForgetsAll, EverythingOfOne), "global data: ForgetsAll does not keep what it was given"),
        (factory(Diary, Raises), "instrument data: taking back its data raised KeyError"),
        (WRONG_GLOBAL, "global data: .*TypeError: expected a GlobalData, found EverythingOfOne"),
        (WRONG_INSTRUMENT, "instrument data: .*TypeError: expected a InstrumentData, found EverythingOfAll"),
    ],
)
def test_a_class_that_does_not_take_back_what_it_kept_is_refused(make: Any, words: str) -> None:
    with pytest.raises(DataNotRestored, match=words):
        snapshot_from_bytes(PAYLOAD, full_data, make)
