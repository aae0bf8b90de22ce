"""Hold an order to the venue's steps and minima: say what is wrong with it, or move it to the nearest allowed one.

The reference carries the specification of an instrument without using it. Here the simulated exchange refuses what a
venue would refuse, and a strategy may fit its orders before it sends them.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow
from typing import Final

from tradebus.core.model.instrument import (
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    QuantityUnit,
    QuoteKind,
)
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderKind, OrderRequestOpen
from tradebus.core.model.side import Side

# What user code computes has an exponent of at most 500 (see `number`): counting steps in it is exact.
_EXACT: Final = Context(
    prec=1200,
    rounding=ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)


def is_on_grid(value: Decimal, step: Decimal) -> bool:
    """Tell whether a value above 0 is a whole number of steps; a step of 0 allows everything."""
    return not step or not _EXACT.remainder(value, step)


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest whole number of steps that is not above a value of 0 or more; a step of 0 changes nothing."""
    if not step:
        return value
    return _EXACT.subtract(value, _EXACT.remainder(value, step))


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest whole number of steps that is not below a value of 0 or more; a step of 0 changes nothing."""
    below = round_down(value, step)
    return below if below == value else _EXACT.add(below, step)


def round_price(spec: InstrumentSpec, side: Side, price: Decimal) -> Decimal:
    """Return the price on a tick that is nearest without being worse for us: a buy pays no more, a sell takes no less.

    A sell below the minimum price is lifted to it; a buy below it stays below, and no venue takes it.
    """
    if side is Side.BUY:
        return round_down(price, spec.tick_size)
    return round_up(max(price, spec.price_min), spec.tick_size)


def round_quantity(spec: InstrumentSpec, quantity: Decimal) -> Decimal:
    """Return the largest allowed quantity that is not above the one asked for; 0 where every allowed one is."""
    rounded = round_down(quantity, spec.lot_size)
    return rounded if rounded >= spec.quantity_min else ZERO


def is_inverse(definition: InstrumentDefinition) -> bool:
    """Tell whether a contract is quoted in quote and settled in base; its size is then quote per contract."""
    kind = definition.contract.kind
    return (
        (kind is InstrumentKind.PERPETUAL or kind is InstrumentKind.FUTURE)
        and definition.quote_kind is QuoteKind.UNDERLYING_QUOTE
        and definition.contract.settlement == definition.base
        and definition.base != definition.quote
    )


def order_value(definition: InstrumentDefinition, price: Decimal, quantity: Decimal) -> Decimal:
    """Return what an order is worth in quote: its quantity counts an asset, contracts, or the quote itself.

    Without a specification quantities are taken to count contracts, of size 1 for spot. An inverse contract, quoted in
    quote and settled in base, is so much quote whatever the price.
    """
    unit = QuantityUnit.CONTRACT if definition.spec is None else definition.spec.quantity_unit
    if unit is QuantityUnit.QUOTE:
        return quantity
    if unit is QuantityUnit.ASSET:
        return price * quantity
    if is_inverse(definition):
        return quantity * definition.contract.contract_size
    return price * quantity * definition.contract.contract_size


def spec_problem(definition: InstrumentDefinition, request: OrderRequestOpen) -> str:
    """Return why a venue would refuse an order by its rules, empty if it would not.

    A market order's price is only what the decision was made at, and need not lie on a tick.
    """
    price, quantity = request.price, request.quantity
    if quantity <= ZERO or price <= ZERO:
        return f"expected price and quantity above 0, found {quantity} at {price}"
    spec = definition.spec
    if spec is None:
        return ""
    if request.kind is OrderKind.LIMIT:
        if not is_on_grid(price, spec.tick_size):
            return f"price {price} is not a multiple of the tick size {spec.tick_size}"
        if price < spec.price_min:
            return f"price {price} is below the minimum {spec.price_min}"
    if not is_on_grid(quantity, spec.lot_size):
        return f"quantity {quantity} is not a multiple of the lot size {spec.lot_size}"
    if quantity < spec.quantity_min:
        return f"quantity {quantity} is below the minimum {spec.quantity_min}"
    value = order_value(definition, price, quantity)
    if value < spec.notional_min:
        return f"notional {value} is below the minimum {spec.notional_min}"
    return ""


def fit_order(definition: InstrumentDefinition, request: OrderRequestOpen) -> OrderRequestOpen | None:
    """Return the request moved to the venue's steps, none if no order there is within what was asked for.

    A limit order's price is never worse for us and the quantity never larger; a market order keeps its price.
    """
    spec = definition.spec
    if spec is None:
        fitted = request
    else:
        price = request.price
        if price <= ZERO or request.quantity <= ZERO:
            return None
        if request.kind is OrderKind.LIMIT:
            price = round_price(spec, request.side, price)
        fitted = OrderRequestOpen(
            request.key,
            request.side,
            price,
            round_quantity(spec, request.quantity),
            request.kind,
            request.time_in_force,
        )
    return None if spec_problem(definition, fitted) else fitted
