"""Drawdown: how far a value fell below its peak, and for how long.

Source: barter 0.12.5 ``statistic/metric/drawdown/mod.rs``. Values are positive fractions of the peak (0.2 is 20 % below
it) and may exceed 1. A drawdown ends when the value rises *above* its peak; reaching it is not enough.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record


@final
class Drawdown(Record):
    """A fall from a peak at ``time_start_ns``; it ended, or was last looked at, at ``time_end_ns``."""

    FIELDS: ClassVar[tuple[str, ...]] = ("value", "time_start_ns", "time_end_ns")

    def __init__(self, value: Decimal, time_start_ns: int, time_end_ns: int) -> None:
        self.value: Final = value
        self.time_start_ns: Final = time_start_ns
        self.time_end_ns: Final = time_end_ns

    @property
    def duration_ns(self) -> int:
        """Return how long it lasted."""
        return self.time_end_ns - self.time_start_ns


@final
class DrawdownGenerator(Record):
    """Finds the drawdowns of a value as it moves; ``peak`` is none before the first value.

    With a peak of 0 or below nothing can be measured as a share of it, so nothing registers until a value is positive.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("peak", "drawdown_max", "time_peak_ns", "time_now_ns")

    def __init__(
        self,
        peak: Decimal | None = None,
        drawdown_max: Decimal = ZERO,
        time_peak_ns: int = 0,
        time_now_ns: int = 0,
    ) -> None:
        self.peak = peak
        self.drawdown_max = drawdown_max
        self.time_peak_ns = time_peak_ns
        self.time_now_ns = time_now_ns

    def update(self, value: Decimal, time_ns: int) -> Drawdown | None:
        """Take in the next value; return the drawdown that it ended, if it ended one."""
        self.time_now_ns = time_ns
        peak = self.peak
        if peak is None:
            self.peak = value
            self.time_peak_ns = time_ns
            return None
        if value > peak:
            ended = self.running()
            self.peak = value
            self.time_peak_ns = time_ns
            self.drawdown_max = ZERO
            return ended
        if peak > ZERO:
            current = (peak - value) / peak
            if current > self.drawdown_max:
                self.drawdown_max = current
        return None

    def running(self) -> Drawdown | None:
        """Return the drawdown that has not ended, up to now; none at the peak."""
        if not self.drawdown_max:
            return None
        return Drawdown(self.drawdown_max, self.time_peak_ns, self.time_now_ns)
