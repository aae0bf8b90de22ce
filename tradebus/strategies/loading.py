"""Make strategies and user-defined data from their setup: the class is found by its path, ``package.module:Class``."""

from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

from tradebus.core.engine.event import DataSetup, StrategySetup
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.user_data import GLOBAL_DATA, INSTRUMENT_DATA, GlobalData, InstrumentData, UserData
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.strategy.interface import Strategy


class ClassNotFound(ImportError):
    """A class path that leads nowhere; the message says which part is missing."""


class StrategyNotFound(ClassNotFound):
    """The class of a strategy was not found."""


class UserDataNotFound(ClassNotFound):
    """The class of user-defined data was not found."""


T = TypeVar("T")


def _find(class_path: str, kind: type[T], what: str, error: type[ClassNotFound], name: str) -> Callable[..., T]:
    """Return the class at a path; raises ``error``. ``name`` says what it is for, ``what`` the kind of class."""
    module_name, colon, class_name = class_path.partition(":")
    if not colon or not module_name or not class_name:
        raise error(f"{name}: expected 'package.module:Class', found {class_path!r}")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as missing:
        raise error(f"{name}: no module {missing.name!r} for {class_path!r}") from missing
    found = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, kind):
        raise error(f"{name}: {module_name} has no {what} class {class_name!r}")
    return found


def load_strategy(setup: StrategySetup, index: IndexedInstruments) -> Strategy:
    """Return a new strategy; raises StrategyNotFound, or what its constructor raises for bad parameters."""
    make = _find(setup.class_path, Strategy, "strategy", StrategyNotFound, f"strategy {setup.id}")
    return make(setup.id, dict(setup.params), index)


def load_data(setup: StrategySetup, index: IndexedInstruments) -> StrategyData | None:
    """Return what a strategy remembers at first, none where its class is not available here.

    For processes that follow an engine: they then report the user part of the state as not verified.
    """
    try:
        return load_strategy(setup, index).initial_data()
    except StrategyNotFound:
        return None


def make_user_data(setup: DataSetup, index: IndexedInstruments, instrument: Instrument | None) -> UserData:
    """Return new data of an instrument, or new global data where there is none.

    A class is called with its parameters by name and the index, one for instruments with the instrument too. Raises
    UserDataNotFound, or what the constructor raises for bad parameters.
    """
    if instrument is None:
        make_global = _find(setup.class_path, GlobalData, "GlobalData", UserDataNotFound, GLOBAL_DATA)
        return make_global(dict(setup.params), index)
    make = _find(setup.class_path, InstrumentData, "InstrumentData", UserDataNotFound, INSTRUMENT_DATA)
    return make(dict(setup.params), index, instrument)


def load_user_data(setup: DataSetup, index: IndexedInstruments, instrument: Instrument | None) -> UserData | None:
    """Return new user-defined data as ``make_user_data``, none where its class is not available here."""
    try:
        return make_user_data(setup, index, instrument)
    except UserDataNotFound:
        return None
