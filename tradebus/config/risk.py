"""Make the configured risk checks, or say which of them cannot be made: before anything is started, where possible."""

from pathlib import Path

from tradebus.config.problem import ConfigError, Problem
from tradebus.config.settings import Settings
from tradebus.config.strategies import add_strategies_folder
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.risk.composite import RiskChecks
from tradebus.core.risk.interface import RiskManager
from tradebus.strategies.checks import BUILT_IN, RiskCheckNotFound, load_check


def risk_setups(settings: Settings) -> list[RiskCheckSetup]:
    """Return the setups of the configured risk checks, in the order of the file; limits become text."""
    setups: list[RiskCheckSetup] = []
    for name in settings.engine.risk:
        params = {key: str(value) for key, value in settings.engine.risk_params.get(name, {}).items()}
        setups.append(RiskCheckSetup(name, BUILT_IN.get(name, name), tuple(sorted(params.items()))))
    return setups


def make_risk(settings: Settings) -> RiskManager:
    """Return the configured risk manager; raises ConfigError with every check that cannot be made."""
    add_strategies_folder(Path(settings.engine.strategies_dir))
    index = settings.indexed_instruments()
    problems: list[Problem] = []
    made = []
    for i, setup in enumerate(risk_setups(settings)):
        try:
            made.append(load_check(setup, index))
        except (RiskCheckNotFound, ValueError) as error:
            path = ("engine", "risk_params", setup.id) if setup.params else ("engine", "risk", i)
            problems.append(settings.problem(path, "a risk check that can be made", str(error)))
        except Exception as error:  # noqa: BLE001 - user code may raise anything when it is loaded
            problems.append(settings.problem(("engine", "risk", i), "a risk check that can be made", repr(error)))
    if problems:
        raise ConfigError(problems)
    return RiskChecks(made) if made else RiskManager()
