"""Profit factor: how often the profits paid for the losses."""

from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN, ZERO
from tradebus.core.statistics.scaling import clamp


def profit_factor(profits_gross: Decimal, losses_gross: Decimal) -> Decimal | None:
    """Return ``|profits_gross| / |losses_gross|``; both are sums in the same unit, before the other is subtracted.

    None where there was neither, ``DECIMAL_MAX`` without losses, ``DECIMAL_MIN`` without profits.

    Source: barter 0.12.5 ``statistic/metric/profit_factor.rs``, whose tear sheet hands it the net sum as profits.
    """
    if not profits_gross and not losses_gross:
        return None
    if not losses_gross:
        return DECIMAL_MAX
    if profits_gross == ZERO:
        return DECIMAL_MIN
    return clamp(abs(profits_gross) / abs(losses_gross))
