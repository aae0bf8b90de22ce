"""Limit how much of an instrument may be held, long or short."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.holding import reach_of
from tradebus.core.risk.limits import LimitAsset, Limits

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class MaxPosition(RiskCheck):
    """Refuse an order that could bring a position beyond a limit, were it and all orders of its side filled.

    In the instrument's own unit, long and short alike. An order that can only make a position smaller passes.
    Parameters: limits by base asset (``btc``), by instrument or as ``default``.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        self._limits: Final = Limits(id, params, index, LimitAsset.BASE)

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Compare how far the position could go on the order's side."""
        reach = reach_of(state.instruments[request.key.instrument], earlier).with_order(request.side, request.quantity)
        furthest = reach.highest if request.side is Side.BUY else -reach.lowest
        limit = self._limits.of(request.key.instrument)
        if furthest > limit:
            name = "long" if request.side is Side.BUY else "short"
            return f"expected a position of at most {limit:f}, found that it could become {furthest:f} {name}"
        return ""
