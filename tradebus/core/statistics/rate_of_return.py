"""Rate of return: what was earned over an interval, as a fraction, carried to another interval without compounding."""

from decimal import Decimal

from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.scaling import scale_linear


def scale_rate_of_return(value: Decimal, current: TimeInterval, target: TimeInterval) -> Decimal:
    """Return a return over ``current`` (a fraction) as one over ``target``: times T/C, in whole seconds.

    Source: barter 0.12.5 ``statistic/metric/rate_of_return.rs``.
    """
    return scale_linear(value, current, target)
