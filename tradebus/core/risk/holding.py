"""Add up what may be held of an instrument: the position, and what its orders would make of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, final

from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.side import Side


@final
class Reach:
    """The furthest that a holding can go on either side if all orders of that side are filled; long is above 0."""

    def __init__(self, lowest: Decimal, highest: Decimal) -> None:
        self.lowest: Final = lowest
        self.highest: Final = highest

    def with_order(self, side: Side, quantity: Decimal) -> "Reach":
        """Return the reach with one more order."""
        if side is Side.BUY:
            return Reach(self.lowest, self.highest + quantity)
        return Reach(self.lowest - quantity, self.highest)

    def furthest(self) -> Decimal:
        """Return the largest quantity that can be held, long or short."""
        return max(-self.lowest, self.highest, ZERO)


def reach_of(found: InstrumentState, earlier: Sequence[OrderRequestOpen]) -> Reach:
    """Return how far the holding of an instrument can go by its active orders and by requests approved already.

    Orders count until they are known to be gone, those being cancelled too.
    """
    position = found.position
    held = ZERO
    if position is not None:
        held = position.quantity_abs if position.side is Side.BUY else -position.quantity_abs
    reach = Reach(held, held)
    for order in found.orders.values():
        reach = reach.with_order(order.side, order.quantity_remaining())
    for request in earlier:
        if request.key.instrument == found.instrument.index:
            reach = reach.with_order(request.side, request.quantity)
    return reach
