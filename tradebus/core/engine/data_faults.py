"""Find data of users' classes that cannot be hashed or stored: what a strategy remembers, what users keep.

Looking at all of it after every event would cost more than the event. So it is looked at where the state is hashed, and
after every event in debug mode; the fault stands in the next tick, and stops whoever made it like any other failure.
"""

from tradebus.core.engine.audit.plain import PlainError, check_plain
from tradebus.core.engine.audit.tick import Halted
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_data import GLOBAL_DATA, instrument_data_name
from tradebus.core.model.number import NumberError


def data_faults(state: EngineState) -> list[Halted]:
    """Return what is wrong with data that has not failed yet: that of strategies, the engine's, the instruments'."""
    found: list[Halted] = []
    for strategy in state.strategies:
        if not strategy.failure:
            reason = ""
            try:
                reason = plain_fault(strategy.plain())
            except Exception as error:  # noqa: BLE001 - user code may raise anything; it stands in the tick
                reason = f"data.to_plain raised {type(error).__name__}"
            if reason:
                found.append(Halted(strategy.setup.id, reason))
    data = state.global_data
    if data is not None and not data.failure:
        reason = ""
        try:
            reason = plain_fault(data.plain())
        except Exception as error:  # noqa: BLE001 - as above
            reason = f"to_plain raised {type(error).__name__}"
        if reason:
            found.append(Halted(GLOBAL_DATA, reason))
    for instrument in state.instruments:
        own = instrument.user_data
        if own is not None and not own.failure:
            reason = ""
            try:
                reason = plain_fault(own.plain())
            except Exception as error:  # noqa: BLE001 - as above
                reason = f"to_plain raised {type(error).__name__}"
            if reason:
                found.append(Halted(instrument_data_name(instrument.instrument.index), reason))
    return found


def plain_fault(plain: object) -> str:
    """Return why a value cannot be kept, empty if it can, or is none."""
    if plain is None:
        return ""
    try:
        check_plain(plain, "data")
    except (PlainError, NumberError) as error:
        return f"{error}"
    return ""
