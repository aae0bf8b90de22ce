"""Keep orders from trading with our own."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderKind, OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import LimitError

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class SelfCross(RiskCheck):
    """Refuse an order that could trade with one of ours on the other side, whichever strategy sent that.

    Limit orders that are active, being cancelled or approved in the same decision count. A market order is taken at the
    price it was decided at. No parameters.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        if params:
            raise LimitError(f"risk check {id}: expected no parameters, found {sorted(params)}")
        self._id: Final = id

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Look for one of ours that this order reaches."""
        for order in state.instruments[request.key.instrument].orders.values():
            if order.kind is OrderKind.LIMIT and _reaches(request, order.side, order.price):
                return _found(order.key.cid, order.side, order.price)
        for other in earlier:
            if (
                other.key.instrument == request.key.instrument
                and other.kind is OrderKind.LIMIT
                and _reaches(request, other.side, other.price)
            ):
                return _found(other.key.cid, other.side, other.price)
        return ""


def _reaches(request: OrderRequestOpen, side: Side, price: Decimal) -> bool:
    if side is request.side:
        return False
    return price <= request.price if request.side is Side.BUY else price >= request.price


def _found(cid: str, side: Side, price: Decimal) -> str:
    return f"expected no order of our own in reach, found {cid} to {side} at {price:f}"
