"""Summarise a series as it grows: count, sum, mean, range and dispersion.

Source: barter 0.12.5 ``statistic/summary/dataset.rs`` and ``dispersion.rs``. Variance and deviation are those of the
population. Everything is 0 before the first value, in the unit of the values.
"""

from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.welford import next_mean, next_recurrence_m, population_variance


@final
class Range(Record):
    """The highest and lowest value so far; ``is_activated`` once there was one."""

    FIELDS: ClassVar[tuple[str, ...]] = ("is_activated", "high", "low")

    def __init__(self, is_activated: bool = False, high: Decimal = ZERO, low: Decimal = ZERO) -> None:
        self.is_activated = is_activated
        self.high = high
        self.low = low

    def update(self, value: Decimal) -> None:
        """Take in the next value; the first sets both ends."""
        if not self.is_activated:
            self.is_activated = True
            self.high = value
            self.low = value
            return
        if value > self.high:
            self.high = value
        if value < self.low:
            self.low = value

    @property
    def value(self) -> Decimal:
        """Return high minus low."""
        return self.high - self.low


@final
class DataSetSummary(Record):
    """A series in a few numbers; ``recurrence_m`` is the sum of squared deviations from the mean."""

    FIELDS: ClassVar[tuple[str, ...]] = ("count", "sum", "mean", "recurrence_m", "range")

    def __init__(
        self,
        count: int = 0,
        sum: Decimal = ZERO,  # noqa: A002 - the field's term
        mean: Decimal = ZERO,
        recurrence_m: Decimal = ZERO,
        range: Range | None = None,  # noqa: A002 - the field's term
    ) -> None:
        self.count = count
        self.sum = sum
        self.mean = mean
        self.recurrence_m = recurrence_m
        self.range = Range() if range is None else range

    def update(self, value: Decimal) -> None:
        """Take in the next value."""
        self.count += 1
        self.sum += value
        before = self.mean
        self.mean = next_mean(before, value, self.count)
        self.range.update(value)
        self.recurrence_m = next_recurrence_m(self.recurrence_m, before, value, self.mean)

    @property
    def variance(self) -> Decimal:
        """Return the population variance, in squared units."""
        return population_variance(self.recurrence_m, self.count)

    @property
    def std_dev(self) -> Decimal:
        """Return the population standard deviation; rounding may leave a variance just below 0, so of its amount."""
        return abs(self.variance).sqrt()


def summary_of(values: list[Decimal]) -> DataSetSummary:
    """Return the summary of a whole series, in its order."""
    summary = DataSetSummary()
    for value in values:
        summary.update(value)
    return summary
