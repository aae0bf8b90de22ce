"""Calculate what risk checks compare with their limits.

Source: barter 0.12.5 ``risk/check/util.rs``. Where the reference's number type overflows, the answer is none.
"""

from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX
from tradebus.core.model.side import Side


def _within(value: Decimal) -> Decimal | None:
    return value if abs(value) <= DECIMAL_MAX else None


def quote_notional(quantity: Decimal, price: Decimal, contract_size: Decimal) -> Decimal | None:
    """Return the value of an order in quote: quantity x price x contract size; none on overflow.

    For an option the strike should be passed as the price.
    """
    value = _within(quantity * price)
    return None if value is None else _within(value * contract_size)


def abs_percent_difference(current: Decimal, other: Decimal) -> Decimal | None:
    """Return how far ``current`` is from ``other``, as a fraction of ``other`` (0.05 is 5 %) and with its sign.

    None on overflow and for an ``other`` of 0.
    """
    difference = _within(abs(current - other))
    return None if difference is None or not other else _within(difference / other)


def delta(instrument_delta: Decimal, contract_size: Decimal, side: Side, quantity_in_kind: Decimal) -> Decimal:
    """Return how an order moves in value with its underlying: negative for a sell.

    ``instrument_delta`` is that of one unit of the underlying (1 for anything but an option), ``quantity_in_kind`` is
    in the instrument's unit; the contract size of spot is 1.
    """
    value = instrument_delta * (quantity_in_kind * contract_size)
    return value if side is Side.BUY else -value
