"""Take new parameters while the engine runs: strategies and risk manager are made anew, or the event is refused."""

from collections.abc import Callable, Sequence
from typing import Final, final

from tradebus.core.engine.answers import failure
from tradebus.core.engine.audit.plain import id_problem
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.risk import RiskCheckState
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import context_is_intact, restore_engine_context
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy

StrategyFactory = Callable[[StrategySetup, IndexedInstruments], Strategy]
RiskFactory = Callable[[Sequence[RiskCheckSetup], IndexedInstruments], RiskManager]


@final
class Makers:
    """Who makes strategies and risk manager from their setups; without them parameters cannot be changed."""

    def __init__(self, make_strategy: StrategyFactory | None, make_risk: RiskFactory | None) -> None:
        self._make_strategy: Final = make_strategy
        self._make_risk: Final = make_risk

    def strategies(self, state: EngineState, event: ConfigChanged) -> list[tuple[int, Strategy]]:
        """Return the strategies whose parameters an event changes, made anew, by their place; raises InvalidEvent."""
        made: list[tuple[int, Strategy]] = []
        for setup in event.strategies:
            place = _place_of_strategy(state, setup)
            if self._make_strategy is None:
                raise InvalidEvent(f"strategy {setup.id!r}: this engine cannot make strategies anew")
            try:
                strategy = self._make_strategy(setup, state.index)
                found = strategy.id
            except Exception as error:
                raise InvalidEvent(failure(f"making strategy {setup.id!r}", error)) from error
            finally:
                _leave_user_code()
            if found != setup.id:
                raise InvalidEvent(f"expected a strategy {setup.id!r}, made was {found!r}")
            made.append((place, strategy))
        return made

    def risk(self, state: EngineState, event: ConfigChanged) -> RiskManager | None:
        """Return the risk manager made anew, none if its parameters stay; raises InvalidEvent."""
        if not event.risk:
            return None
        changed = {setup.id: setup for setup in event.risk}
        for setup in event.risk:
            _check_risk(state, setup)
        if self._make_risk is None:
            raise InvalidEvent("this engine cannot make its risk manager anew")
        setups = [changed.get(check.setup.id, check.setup) for check in state.risk.checks]
        try:
            return self._make_risk(setups, state.index)
        except Exception as error:
            raise InvalidEvent(failure("making the risk manager", error)) from error
        finally:
            _leave_user_code()


def _leave_user_code() -> None:
    if not context_is_intact():
        restore_engine_context()


def _place_of_strategy(state: EngineState, setup: StrategySetup) -> int:
    for place, known in enumerate(state.strategies):
        if known.setup.id == setup.id:
            _check_setup(f"strategy {setup.id!r}", known.setup.class_path, setup.class_path, setup.params)
            return place
    raise InvalidEvent(f"expected one of the strategies {[s.setup.id for s in state.strategies]}, found {setup.id!r}")


def _check_risk(state: EngineState, setup: RiskCheckSetup) -> None:
    known = state.risk.check(setup.id)
    if known is None:
        ids = [check.setup.id for check in state.risk.checks]
        raise InvalidEvent(f"expected one of the risk checks {ids}, found {setup.id!r}")
    _check_setup(f"risk check {setup.id!r}", known.setup.class_path, setup.class_path, setup.params)
    # Lists of times cannot be turned into those of another scope.
    if known.scope() != RiskCheckState(setup, []).scope():
        raise InvalidEvent(f"risk check {setup.id!r}: whether it has a window, and of what, cannot be changed")


def _check_setup(what: str, class_known: str, class_found: str, params: tuple[tuple[str, str], ...]) -> None:
    if class_found != class_known:
        raise InvalidEvent(f"{what}: expected the class {class_known!r}, found {class_found!r}")
    names = [name for name, _ in params]
    if names != sorted(set(names)):
        raise InvalidEvent(f"{what}: expected each parameter once, in the order of names, found {names}")
    for name, value in params:
        problem = id_problem("parameter", name) or id_problem(name, value, may_be_empty=True)
        if problem:
            raise InvalidEvent(f"{what}: {problem}")
