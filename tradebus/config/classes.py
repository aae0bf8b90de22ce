"""Import the classes that a configuration names, users' own included."""

import importlib
import sys
from pathlib import Path

from tradebus.config.problem import ConfigError, Problem, did_you_mean
from tradebus.config.sections.engine import StrategySettings
from tradebus.config.settings import Settings


def strategy_classes(settings: Settings) -> list[tuple[StrategySettings, type]]:
    """Return every configured strategy with its class, in configured order.

    Puts the folder of users' strategies on the import path first. Raises ConfigError with a problem for each class
    that cannot be imported; what a class must be (a `Strategy`) is for the caller to check.
    """
    add_to_path(Path(settings.engine.strategies_dir))
    found: list[tuple[StrategySettings, type]] = []
    problems: list[Problem] = []
    for index, strategy in enumerate(settings.engine.strategies):
        try:
            found.append((strategy, import_class(strategy.class_path)))
        except ClassNotFound as error:
            path = ("engine", "strategies", index, "class")
            problems.append(settings.problem(path, "a class that can be imported", str(error), error.hint))
    if problems:
        raise ConfigError(problems)
    return found


class ClassNotFound(ImportError):
    """A class path that leads to no class; `hint` may name a near one."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


def import_class(class_path: str) -> type:
    """Return the class at `package.module:Class`. Raises ClassNotFound, whatever the module does when imported."""
    module_name, _, name = class_path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ClassNotFound(f"`{class_path}`: no module `{error.name}`") from error
    except Exception as error:
        raise ClassNotFound(f"`{class_path}`: importing `{module_name}` raised {error!r}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        close = {known.lower(): known for known in classes}
        hint = did_you_mean(name, list(close))
        for lower, known in close.items():
            hint = hint.replace(f"`{lower}`", f"`{known}`")
        raise ClassNotFound(f"`{class_path}`: `{module_name}` has no class `{name}`", hint)
    return found


def add_to_path(folder: Path) -> None:
    """Put a folder at the end of the import path, once; ours and the libraries' names win over a user's."""
    text = str(folder.resolve())
    if text not in sys.path:
        sys.path.append(text)
