"""Exposure: how much was at stake, over time, in one currency.

Gross exposure adds the value of all positions at their mark prices, net exposure subtracts the short ones. Means are
weighted by time: what was at stake counts from when it was seen until it was seen again, at changes of positions and at
the ends of the equity curve's periods.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.number import ZERO
from tradebus.core.model.record import Record


@final
class ExposureSheet(Record):
    """Amounts in the currency; ``time_in_market`` is the fraction of the time with any position."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "gross_end",
        "net_end",
        "gross_mean",
        "net_mean",
        "gross_max",
        "time_in_market",
    )

    def __init__(
        self,
        gross_end: Decimal,
        net_end: Decimal,
        gross_mean: Decimal,
        net_mean: Decimal,
        gross_max: Decimal,
        time_in_market: Decimal,
    ) -> None:
        self.gross_end: Final = gross_end
        self.net_end: Final = net_end
        self.gross_mean: Final = gross_mean
        self.net_mean: Final = net_mean
        self.gross_max: Final = gross_max
        self.time_in_market: Final = time_in_market


@final
class Exposure:
    """Follows the exposure in one currency; the sums are amounts times nanoseconds."""

    def __init__(self, time_start_ns: int) -> None:
        self.time_start_ns: Final = time_start_ns
        self.time_now_ns = time_start_ns
        self.gross = ZERO
        self.net = ZERO
        self.gross_max = ZERO
        self.gross_sum = ZERO
        self.net_sum = ZERO
        self.time_open_ns = 0

    def update(self, time_ns: int, gross: Decimal, net: Decimal) -> None:
        """Take in what is at stake from a time on."""
        elapsed = time_ns - self.time_now_ns
        if elapsed > 0:
            self.gross_sum += self.gross * elapsed
            self.net_sum += self.net * elapsed
            if self.gross:
                self.time_open_ns += elapsed
            self.time_now_ns = time_ns
        self.gross = gross
        self.net = net
        if gross > self.gross_max:
            self.gross_max = gross

    def sheet(self) -> ExposureSheet:
        """Return what there is to say up to the last update; without time there is no mean, and it is 0."""
        elapsed = self.time_now_ns - self.time_start_ns
        if not elapsed:
            return ExposureSheet(self.gross, self.net, ZERO, ZERO, self.gross_max, ZERO)
        return ExposureSheet(
            self.gross,
            self.net,
            self.gross_sum / elapsed,
            self.net_sum / elapsed,
            self.gross_max,
            Decimal(self.time_open_ns) / elapsed,
        )
