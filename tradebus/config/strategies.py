"""Make the configured strategies and data, or say which cannot be made: before anything is started, where possible."""

import sys
from pathlib import Path

from tradebus.config.problem import ConfigError, Problem
from tradebus.config.sections.engine import UserDataSettings
from tradebus.config.settings import Settings
from tradebus.core.engine.event import DataSetup, StrategySetup
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.loading import StrategyNotFound, UserDataNotFound, load_strategy, make_user_data


def add_strategies_folder(folder: Path) -> None:
    """Put the folder of users' strategies at the end of the import path, where it exists; safe to repeat."""
    path = str(folder.resolve())
    if folder.is_dir() and path not in sys.path:
        sys.path.append(path)


def strategy_setups(settings: Settings) -> list[StrategySetup]:
    """Return the setups of the configured strategies, in the order of the file; parameters become text."""
    setups: list[StrategySetup] = []
    for strategy in settings.engine.strategies:
        params = {name: str(value) for name, value in strategy.params.items()}
        if strategy.instruments is not None:
            params["instruments"] = ",".join(strategy.instruments)
        setups.append(StrategySetup(StrategyId(strategy.id), strategy.class_path, tuple(sorted(params.items()))))
    return setups


def data_setup(data: UserDataSettings | None) -> DataSetup | None:
    """Return the setup of user-defined data, none where none is configured; parameters become text."""
    if data is None:
        return None
    return DataSetup(data.class_path, tuple(sorted((name, str(value)) for name, value in data.params.items())))


def make_strategies(settings: Settings) -> list[Strategy]:
    """Return the configured strategies; raises ConfigError with all user code that cannot be made, also data."""
    add_strategies_folder(Path(settings.engine.strategies_dir))
    index = settings.indexed_instruments()
    made: list[Strategy] = []
    problems: list[Problem] = []
    for i, setup in enumerate(strategy_setups(settings)):
        try:
            made.append(load_strategy(setup, index))
        except (StrategyNotFound, ValueError) as error:
            problems.append(settings.problem(("engine", "strategies", i), "a strategy that can be made", str(error)))
        except Exception as error:  # noqa: BLE001 - user code may raise anything when it is loaded
            problems.append(settings.problem(("engine", "strategies", i), "a strategy that can be made", repr(error)))
    problems += _data_problems(settings)
    if problems:
        raise ConfigError(problems)
    return made


def _data_problems(settings: Settings) -> list[Problem]:
    """Return why user-defined data cannot be made; that of instruments is tried with each of them."""
    index = settings.indexed_instruments()
    engine = settings.engine
    problems: list[Problem] = []
    for key, data in (("global_data", engine.global_data), ("instrument_data", engine.instrument_data)):
        setup = data_setup(data)
        if setup is None:
            continue
        try:
            for instrument in [None] if key == "global_data" else index.instruments:
                make_user_data(setup, index, instrument)
        except (UserDataNotFound, ValueError) as error:
            problems.append(settings.problem(("engine", key), "data that can be made", str(error)))
        except Exception as error:  # noqa: BLE001 - user code may raise anything when it is loaded
            problems.append(settings.problem(("engine", key), "data that can be made", repr(error)))
    return problems
