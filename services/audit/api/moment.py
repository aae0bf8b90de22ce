"""The fold at one sequence, as views are built from it: state, what grows beside it, names."""

from typing import Final

from services.audit.api.views.values import Names
from services.audit.fold import Fold
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.number import enter_engine_context


class Moment:
    """A fold as it is now. Nothing may be awaited between making it and building views from it.

    ``sequence`` and its engine time may be those of an earlier tick, where only rows up to then are shown.
    """

    def __init__(self, fold: Fold, names: Names, sequence: int | None = None, time_ns: int | None = None) -> None:
        enter_engine_context()  # what is derived on read computes like the engine
        self.fold: Final = fold
        self.state: Final[EngineState] = fold.state
        self.names: Final = names
        self.sequence: Final = fold.sequence if sequence is None else sequence
        self.time_ns: Final = fold.time_ns if time_ns is None else time_ns
