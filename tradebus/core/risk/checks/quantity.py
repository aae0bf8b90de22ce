"""Limit the quantity of one order."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import LimitAsset, Limits

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class MaxOrderQuantity(RiskCheck):
    """Refuse an order of more than a limit, in the instrument's own unit.

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
        """Compare the order's quantity."""
        limit = self._limits.of(request.key.instrument)
        if request.quantity > limit:
            return f"expected a quantity of at most {limit:f}, found {request.quantity:f}"
        return ""
