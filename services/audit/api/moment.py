"""The fold at one sequence, as views are built from it: state, what grows beside it, names."""

from typing import Final

from services.audit.api.views.values import Names
from services.audit.fold import Fold
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.number import enter_engine_context


class Moment:
    """A fold as it is now. Nothing may be awaited between making it and building views from it."""

    def __init__(self, fold: Fold, names: Names) -> None:
        enter_engine_context()  # what is derived on read computes like the engine
        self.fold: Final = fold
        self.state: Final[EngineState] = fold.state
        self.names: Final = names
        self.sequence: Final = fold.sequence
        self.time_ns: Final = fold.time_ns
