"""Say whether an engine can go on from a state, such as one that was read from a snapshot."""

from mypy_extensions import mypyc_attr

from tradebus.core.engine.apply_user import unknown_user_data
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.state.engine_state import EngineState


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
