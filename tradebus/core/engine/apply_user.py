"""Hand account events and requests to user-defined data, in the reference's order; called by ``engine.apply`` only.

A fill reaches the instrument's data before it changes the position, everything else after it changed the orders, and
the global data comes last.
"""

from tradebus.core.engine.audit.tick import Halted, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    AmendAnswered,
    CancelAnswered,
    FundingReceived,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_data import GLOBAL_DATA, INSTRUMENT_DATA, instrument_data_name
from tradebus.core.model.identifiers import InstrumentIndex, StrategyId


def before_account_event(state: EngineState, event: AccountEvent) -> None:
    """Hand over a fill, before it is taken in."""
    data = event.data
    if isinstance(data, TradeReceived):
        _process(state, data.trade.instrument, event)


def after_account_event(state: EngineState, event: AccountEvent) -> None:
    """Hand over what was taken in."""
    data = event.data
    if isinstance(data, OrderReceived):
        _process(state, data.order.key.instrument, event)
    elif isinstance(data, (CancelAnswered, AmendAnswered, RequestInDoubt, RequestNeverReceived)):
        _process(state, data.key.instrument, event)
    elif isinstance(data, FundingReceived):
        _process(state, data.instrument, event)
    elif isinstance(data, SnapshotReceived):
        for instrument in _instruments_of(data):
            _process(state, instrument, event)
    if state.global_data is not None:
        state.global_data.process_account(state, event)


def _instruments_of(data: SnapshotReceived) -> list[InstrumentIndex]:
    """Return the instruments of which a snapshot tells orders, in the order it first does."""
    found: list[InstrumentIndex] = []
    for order in data.snapshot.orders:
        if order.key.instrument not in found:
            found.append(order.key.instrument)
    return found


def _process(state: EngineState, index: InstrumentIndex, event: AccountEvent) -> None:
    instrument = state.instruments[index]
    if instrument.user_data is not None:
        instrument.user_data.process_account(instrument, event)


def record_requests(state: EngineState, decided: RequestsDecided) -> None:
    """Let the instruments' data note the requests that were sent: cancels, then amends, then orders."""
    for cancel in decided.cancels_sent:
        instrument = state.instruments[cancel.key.instrument]
        if instrument.user_data is not None:
            instrument.user_data.record_cancel(instrument, cancel)
    for amend in decided.amends_sent:
        instrument = state.instruments[amend.key.instrument]
        if instrument.user_data is not None:
            instrument.user_data.record_amend(instrument, amend)
    for request in decided.opens_sent:
        instrument = state.instruments[request.key.instrument]
        if instrument.user_data is not None:
            instrument.user_data.record_open(instrument, request)


def note_halted(state: EngineState, halted: Halted) -> None:
    """Note that a failure of user-defined data stands in a tick."""
    data = state.global_data
    if halted.strategy == GLOBAL_DATA:
        if data is not None:
            data.failure = data.failure or halted.reason
            data.is_halted = True
    elif halted.strategy.startswith(INSTRUMENT_DATA):
        for instrument in state.instruments:
            user = instrument.user_data
            if user is not None and instrument_data_name(instrument.instrument.index) == halted.strategy:
                user.failure = user.failure or halted.reason
                user.is_halted = True


def unreported_failures(state: EngineState) -> list[Halted]:
    """Return the failures of user-defined data that stand in no tick yet, the global data's first."""
    found: list[Halted] = []
    data = state.global_data
    if data is not None and data.failure and not data.is_halted:
        found.append(Halted(GLOBAL_DATA, data.failure))
    for instrument in state.instruments:
        user = instrument.user_data
        if user is not None and user.failure and not user.is_halted:
            found.append(Halted(instrument_data_name(instrument.instrument.index), user.failure))
    return found


def has_user_data(state: EngineState) -> bool:
    """Tell whether there is user-defined data at all; an engine has it from its start or never."""
    return state.global_data is not None or any(each.user_data is not None for each in state.instruments)


def unknown_user_data(state: EngineState) -> list[str]:
    """Return the class paths of user-defined data that could not be made here."""
    found: list[str] = []
    if state.global_data is not None and not state.global_data.has_class:
        found.append(state.global_data.setup.class_path)
    for instrument in state.instruments:
        user = instrument.user_data
        if user is not None and not user.has_class and user.setup.class_path not in found:
            found.append(user.setup.class_path)
    return found


def is_reserved(name: StrategyId) -> bool:
    """Tell whether failures of user-defined data are reported under this name."""
    return name == GLOBAL_DATA or name.startswith(INSTRUMENT_DATA)
