"""Keep mean and variance of a growing series without keeping the series.

Source: B. P. Welford, "Note on a method for calculating corrected sums of squares and products" (1962); barter 0.12.5
``statistic/algorithm.rs``. ``count`` is always the number of values including the new one.
"""

from decimal import Decimal

from tradebus.core.model.number import ZERO


def next_mean(mean: Decimal, value: Decimal, count: int) -> Decimal:
    """Return the mean after one more value: ``mean + (value - mean) / count``, in the unit of the values."""
    return mean + (value - mean) / count


def next_mean_integer(mean: int, value: int, count: int) -> int:
    """Return the mean of integers after one more; the division cuts towards zero, as the source's integers do."""
    difference = value - mean
    step = abs(difference) // count
    return mean + step if difference >= 0 else mean - step


def next_recurrence_m(m: Decimal, mean_before: Decimal, value: Decimal, mean_after: Decimal) -> Decimal:
    """Return the sum of squared deviations after one more value: ``m + (value - mean_before) (value - mean_after)``."""
    return m + (value - mean_before) * (value - mean_after)


def sample_variance(m: Decimal, count: int) -> Decimal:
    """Return the unbiased variance ``m / (count - 1)``, in squared units; 0 below two values."""
    return ZERO if count < 2 else m / (count - 1)


def population_variance(m: Decimal, count: int) -> Decimal:
    """Return the variance of the values themselves, ``m / count``, in squared units; 0 without values."""
    return ZERO if count < 1 else m / count
