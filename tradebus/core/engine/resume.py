"""Say whether an engine can go on from a state, such as one that was read from a snapshot."""

from mypy_extensions import mypyc_attr

from tradebus.core.engine.apply_user import unknown_user_data
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.index import IndexedInstruments


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class CannotResume(ValueError):
    """A state that an engine cannot go on from; the message says what does not fit."""


def check_resumable(state: EngineState, started: EngineStarted) -> None:
    """Refuse a state that is not of this start record, or lacks what a strategy remembers; raises CannotResume."""
    if state.index != started.index:
        raise CannotResume(f"expected the index {started.index.fingerprint()}, found {state.index.fingerprint()}")
    wanted = [setup.id for setup in started.strategies]
    found = [strategy.setup.id for strategy in state.strategies]
    if found != wanted:
        raise CannotResume(f"expected the strategies {wanted}, found {found}")
    wanted_checks = [setup.id for setup in started.risk]
    found_checks = [check.setup.id for check in state.risk.checks]
    if found_checks != wanted_checks:
        raise CannotResume(f"expected the risk checks {wanted_checks}, found {found_checks}")
    unknown = [strategy.setup.id for strategy in state.strategies if not strategy.has_class]
    if unknown:
        raise CannotResume(f"what the strategies {unknown} remember is not known: their classes could not be loaded")
    data = state.global_data
    if (None if data is None else data.setup) != started.global_data:
        raise CannotResume(f"expected the global data {started.global_data}, found {data and data.setup}")
    for instrument in state.instruments:
        own = instrument.user_data
        if (None if own is None else own.setup) != started.instrument_data:
            raise CannotResume(f"expected the instrument data {started.instrument_data}, found {own and own.setup}")
    missing = unknown_user_data(state)
    if missing:
        raise CannotResume(f"what the data {missing} keeps is not known: its class could not be loaded")


@mypyc_attr(native_class=False)
class IndexChanged(CannotResume):
    """An index in which something has another number than before, or none any more: indices are append-only."""


def check_growth(before: IndexedInstruments, after: IndexedInstruments) -> None:
    """Refuse an index that does not begin with the one before; raises IndexChanged naming the first difference."""
    _check_prefix("exchange", [str(item.value) for item in before.exchanges], [str(e.value) for e in after.exchanges])
    for i, asset in enumerate(before.assets):
        if i >= len(after.assets) or after.assets[i] != asset:
            found = "none" if i >= len(after.assets) else repr(after.assets[i])
            raise IndexChanged(f"asset {i}: expected {asset!r} as in the journal, found {found}")
    names = [instrument.name for instrument in before.instruments]
    _check_prefix("instrument", names, [instrument.name for instrument in after.instruments])
    for known, found_there in zip(before.instruments, after.instruments, strict=False):
        if known != found_there:
            raise IndexChanged(f"instrument {known.name}: expected {known!r} as in the journal, found {found_there!r}")


def _check_prefix(what: str, before: list[str], after: list[str]) -> None:
    for i, name in enumerate(before):
        if i >= len(after) or after[i] != name:
            found = "none" if i >= len(after) else repr(after[i])
            raise IndexChanged(f"{what} {i}: expected {name!r} as in the journal, found {found}")


def check_resumed(state: EngineState, started: EngineStarted) -> None:
    """Refuse a state that an engine under another start record cannot go on from; raises CannotResume.

    What a strategy that goes on, or the users' data that go on, remember must be known here.
    """
    check_growth(state.index, started.index)
    goes_on = {setup.id: setup.class_path for setup in started.strategies}
    unknown = [
        strategy.setup.id
        for strategy in state.strategies
        if not strategy.has_class and goes_on.get(strategy.setup.id) == strategy.setup.class_path
    ]
    if unknown:
        raise CannotResume(f"what the strategies {unknown} remember is not known: their classes could not be loaded")
    data = state.global_data
    if data is not None and data.setup == started.global_data and not data.has_class:
        raise CannotResume(f"what the data {data.setup.class_path!r} keeps is not known: its class could not be loaded")
    for instrument in state.instruments:
        own = instrument.user_data
        if own is not None and own.setup == started.instrument_data and not own.has_class:
            missing = own.setup.class_path
            raise CannotResume(f"what the data {missing!r} keeps is not known: its class could not be loaded")
