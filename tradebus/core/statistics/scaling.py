"""Carry a return or ratio from one interval to another, and keep infinite ratios infinite.

``DECIMAL_MAX`` and ``DECIMAL_MIN`` stand for infinity, as in barter 0.12.5. There a scaled MIN became MAX and a MAX
scaled down became a large finite number; here both stay what they are, and what overflows keeps its sign.

Returns grow with time, so they scale with T/C (T target, C current, in whole seconds); their deviation grows with its
root, and so do the ratios over a deviation.
"""

from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN
from tradebus.core.statistics.interval import ANNUAL_365, TimeInterval


def is_infinite(value: Decimal) -> bool:
    """Tell whether a value stands for infinity, of either sign."""
    return value >= DECIMAL_MAX or value <= DECIMAL_MIN


def clamp(value: Decimal) -> Decimal:
    """Return the value, or the infinity of its sign where it lies beyond the largest number."""
    if value > DECIMAL_MAX:
        return DECIMAL_MAX
    if value < DECIMAL_MIN:
        return DECIMAL_MIN
    return value


def interval_ratio(current: TimeInterval, target: TimeInterval, observations: int = 1) -> Decimal:
    """Return how many of the current intervals the target holds; infinite where the current one has no whole second.

    ``observations`` is into how many equal parts the current interval is divided: a period with 5 closed positions
    holds 5 observations, and one of them is a fifth of it.
    """
    seconds = abs(current.seconds)
    if not seconds:
        return DECIMAL_MAX
    return Decimal(abs(target.seconds) * observations) / seconds


def scale_linear(value: Decimal, current: TimeInterval, target: TimeInterval, observations: int = 1) -> Decimal:
    """Return a return over ``current`` as one over ``target``: times T/C, without compounding."""
    if is_infinite(value):
        return clamp(value)
    return clamp(value * interval_ratio(current, target, observations))


def scale_root(value: Decimal, current: TimeInterval, target: TimeInterval, observations: int = 1) -> Decimal:
    """Return a deviation, or a ratio over one, of ``current`` as one of ``target``: times the root of T/C."""
    if is_infinite(value):
        return clamp(value)
    return clamp(value * interval_ratio(current, target, observations).sqrt())


def risk_free_over(risk_free_return: Decimal, period: TimeInterval, observations: int = 1) -> Decimal:
    """Return what a risk-free return per year of 365 days gives over one observation of a period, linearly."""
    return risk_free_return * Decimal(abs(period.seconds)) / (abs(ANNUAL_365.seconds) * observations)
