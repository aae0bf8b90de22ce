"""Make the user-defined data that a start record asks for, in the engine and in whatever follows it."""

from collections.abc import Callable

from tradebus.core.engine.event import DataSetup, EngineStarted, StrategySetup
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.user_data import (
    GlobalData,
    GlobalDataState,
    InstrumentData,
    InstrumentDataState,
    UserData,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument

StrategyDataFactory = Callable[[StrategySetup, IndexedInstruments], StrategyData | None]
"""Makes what a strategy remembers at first; none where its class is not available."""

UserDataFactory = Callable[[DataSetup, IndexedInstruments, Instrument | None], UserData | None]
"""Makes the data of an instrument, or the global data where there is none; none where the class is not available."""


def no_user_data(setup: DataSetup, index: IndexedInstruments, instrument: Instrument | None) -> UserData | None:  # noqa: ARG001 - as every factory
    """Know no class: what follows an engine without the users' classes."""
    return None


def new_global_data(started: EngineStarted, make: UserDataFactory) -> GlobalDataState | None:
    """Return the global data an engine begins with, none where none is asked for; raises TypeError for another kind."""
    setup = started.global_data
    if setup is None:
        return None
    made = make(setup, started.index, None)
    if made is not None and not isinstance(made, GlobalData):
        raise TypeError(f"global data {setup.class_path}: expected a GlobalData, found {type(made).__name__}")
    return GlobalDataState(setup, made, "", False)


def new_instrument_data(
    started: EngineStarted, instrument: Instrument, make: UserDataFactory
) -> InstrumentDataState | None:
    """Return the data an instrument begins with, none where none is asked for; raises TypeError for another kind."""
    setup = started.instrument_data
    if setup is None:
        return None
    made = make(setup, started.index, instrument)
    if made is not None and not isinstance(made, InstrumentData):
        raise TypeError(f"instrument data {setup.class_path}: expected an InstrumentData, found {type(made).__name__}")
    return InstrumentDataState(setup, made, None, "", False)
