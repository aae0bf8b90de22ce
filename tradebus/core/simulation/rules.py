"""Check an order against the venue's steps and minima."""

from tradebus.core.model.instrument import InstrumentDefinition
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderKind, OrderRequestOpen


def spec_problem(definition: InstrumentDefinition, request: OrderRequestOpen) -> str:
    """Return why a venue would refuse an order by its rules, empty if it would not.

    A market order's price is only what the decision was made at, and need not lie on a tick.
    """
    if request.quantity <= ZERO or request.price <= ZERO:
        return f"expected price and quantity above 0, found {request.quantity} at {request.price}"
    spec = definition.spec
    if spec is None:
        return ""
    if request.kind is OrderKind.LIMIT:
        if spec.tick_size and request.price % spec.tick_size:
            return f"price {request.price} is not a multiple of the tick size {spec.tick_size}"
        if request.price < spec.price_min:
            return f"price {request.price} is below the minimum {spec.price_min}"
    if spec.lot_size and request.quantity % spec.lot_size:
        return f"quantity {request.quantity} is not a multiple of the lot size {spec.lot_size}"
    if request.quantity < spec.quantity_min:
        return f"quantity {request.quantity} is below the minimum {spec.quantity_min}"
    if request.price * request.quantity < spec.notional_min:
        return f"notional {request.price * request.quantity} is below the minimum {spec.notional_min}"
    return ""
