"""Sharpe ratio: what was earned beyond the risk-free return, per unit of deviation."""

from decimal import Decimal

from tradebus.core.model.number import DECIMAL_MAX
from tradebus.core.statistics.interval import TimeInterval
from tradebus.core.statistics.scaling import clamp, scale_root


def sharpe_ratio(mean_return: Decimal, risk_free: Decimal, std_dev: Decimal) -> Decimal:
    """Return ``(mean_return - risk_free) / std_dev``.

    All three are fractions over the *same* interval (0.01 is 1 %), and so is the result; scale it to annualise.
    No deviation gives ``DECIMAL_MAX`` whatever was earned, as in the source.

    Source: W. F. Sharpe, "The Sharpe Ratio" (1994); barter 0.12.5 ``statistic/metric/sharpe.rs``.
    """
    if not std_dev:
        return DECIMAL_MAX
    return clamp((mean_return - risk_free) / std_dev)


def scale_sharpe(value: Decimal, current: TimeInterval, target: TimeInterval, observations: int = 1) -> Decimal:
    """Return a Sharpe ratio of one observation of ``current`` as one of ``target``: times the root of their ratio."""
    return scale_root(value, current, target, observations)
