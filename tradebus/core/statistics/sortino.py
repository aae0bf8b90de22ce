"""Sortino ratio: what was earned beyond the risk-free return, per unit of deviation of the losses alone."""

from collections.abc import Sequence
from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN, ZERO
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.scaling import clamp, scale_root


def sortino_ratio(mean_return: Decimal, risk_free: Decimal, downside: Decimal) -> Decimal:
    """Return ``(mean_return - risk_free) / downside``.

    All three are fractions over the same interval. Without downside it is infinite with the sign of what was earned,
    0 where that is 0.

    Source: barter 0.12.5 ``statistic/metric/sortino.rs``, which takes the deviation of the losses as downside.
    """
    excess = mean_return - risk_free
    if downside:
        return clamp(excess / downside)
    if not excess:
        return ZERO
    return DECIMAL_MAX if excess > ZERO else DECIMAL_MIN


def scale_sortino(value: Decimal, current: TimeInterval, target: TimeInterval, observations: int = 1) -> Decimal:
    """Return a Sortino ratio of one observation of ``current`` as one of ``target``: times the root of their ratio."""
    return scale_root(value, current, target, observations)


def downside_deviation(returns: Sequence[Decimal], required: Decimal) -> Decimal:
    """Return the root mean square of what returns fell short of ``required``, over all of them; 0 without returns.

    Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework" (1994).
    """
    if not returns:
        return ZERO
    squares = ZERO
    for value in returns:
        short = value - required
        if short < ZERO:
            squares += short * short
    return (squares / len(returns)).sqrt()
