"""Repeat a measurement and say the median and the spread: machines are shared, so CPU time and medians are compared."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate per CPU second over several repeats: the median, the lowest and the highest."""

    median: float
    lowest: float
    highest: float
    repeats: int

    def as_data(self) -> dict[str, float | int]:
        """Return the figures rounded for a report."""
        return {
            "median": round(self.median),
            "lowest": round(self.lowest),
            "highest": round(self.highest),
            "repeats": self.repeats,
        }


def rate(work: Callable[[], int], repeats: int = 5) -> Rate:
    """Call ``work`` several times after one that warms up; it returns how many items it did."""
    work()
    rates: list[float] = []
    for _ in range(repeats):
        begin = time.process_time()
        done = work()
        rates.append(done / max(time.process_time() - begin, 1e-9))
    return Rate(statistics.median(rates), min(rates), max(rates), repeats)
