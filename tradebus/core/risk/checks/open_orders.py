"""Limit how many orders may be at work."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import Limits

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class MaxOpenOrders(RiskCheck):
    """Refuse an order when an instrument has as many active ones, in flight or open, as the limit allows.

    Parameters: counts by instrument or as ``default``.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        self._limits: Final = Limits(id, params, index, None)

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Count the instrument's orders with this one."""
        instrument = request.key.instrument
        count = len(state.instruments[instrument].orders) + 1
        for other in earlier:
            if other.key.instrument == instrument:
                count += 1
        limit = self._limits.of(instrument)
        return f"expected at most {limit:f} active orders, found {count} with this one" if count > limit else ""
