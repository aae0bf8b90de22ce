"""Make strategies from their setup: the class is found by its path, ``package.module:Class``."""

from collections.abc import Callable
from importlib import import_module

from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.strategy.interface import Strategy


class StrategyNotFound(ImportError):
    """A class path that leads nowhere; the message says which part is missing."""


def load_strategy(setup: StrategySetup, index: IndexedInstruments) -> Strategy:
    """Return a new strategy; raises StrategyNotFound, or what its constructor raises for bad parameters."""
    module_name, colon, class_name = setup.class_path.partition(":")
    if not colon or not module_name or not class_name:
        raise StrategyNotFound(f"strategy {setup.id}: expected 'package.module:Class', found {setup.class_path!r}")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise StrategyNotFound(f"strategy {setup.id}: no module {error.name!r} for {setup.class_path!r}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, Strategy):
        raise StrategyNotFound(f"strategy {setup.id}: {module_name} has no strategy class {class_name!r}")
    make: Callable[..., Strategy] = found
    return make(setup.id, dict(setup.params), index)


def load_data(setup: StrategySetup, index: IndexedInstruments) -> StrategyData | None:
    """Return what a strategy remembers at first, none where its class is not available here.

    For processes that follow an engine: they then report the user part of the state as not verified.
    """
    try:
        return load_strategy(setup, index).initial_data()
    except StrategyNotFound:
        return None
