"""Calmar ratio: what was earned beyond the risk-free return, per unit of the deepest drawdown."""

from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN, ZERO
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.scaling import clamp, scale_root


def calmar_ratio(mean_return: Decimal, risk_free: Decimal, drawdown_max: Decimal) -> Decimal:
    """Return ``(mean_return - risk_free) / |drawdown_max|``; returns over one interval, all three as fractions.

    Without a drawdown it is infinite with the sign of what was earned, 0 where that is 0.

    Source: barter 0.12.5 ``statistic/metric/calmar.rs``; T. W. Young, "Calmar Ratio: A Smoother Tool" (1991).
    """
    excess = mean_return - risk_free
    if drawdown_max:
        return clamp(excess / abs(drawdown_max))
    if not excess:
        return ZERO
    return DECIMAL_MAX if excess > ZERO else DECIMAL_MIN


def scale_calmar(value: Decimal, current: TimeInterval, target: TimeInterval) -> Decimal:
    """Return a Calmar ratio of ``current`` as one of ``target``: times the root of their ratio, as in the source."""
    return scale_root(value, current, target)
