"""Equity curve: the capital base plus everything made since, in one currency, marked to the market.

A currency is an asset that profits are in: the quote asset of an instrument, or what its contract settles in; the same
name on several exchanges is one currency. Equity is ``capital base + realised PnL + unrealised PnL`` of all instruments
of the currency; unrealised PnL is that of the state: at the mark price, less approximate exit fees.

It is looked at when a position changes and at the ends of equal periods. The latter are kept, and returns are taken
from them: ``equity / equity one period before - 1``.

At most ``POINTS_MAX`` points are kept. When there are more, every second one is dropped and the period doubles, so that
a run of any length has a curve of bounded size. Drawdowns are measured on every value ever looked at.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.number import ONE, ZERO
from tradebus.core.model.record import Record
from tradebus.core.statistics.drawdown_sheet import DrawdownTracker

POINTS_MAX: Final = 10_000


@final
class EquityPoint(Record):
    """What everything was worth at a time, in the currency."""

    FIELDS: ClassVar[tuple[str, ...]] = ("time_ns", "equity")

    def __init__(self, time_ns: int, equity: Decimal) -> None:
        self.time_ns: Final = time_ns
        self.equity: Final = equity


@final
class EquityCurve:
    """Follows the equity of one currency from ``capital_base`` on.

    ``points`` are one ``period_ns`` apart, the first at the start; ``last`` is the newest value at whatever time.
    A period of 0 keeps no points but the first.
    """

    def __init__(self, capital_base: Decimal, time_start_ns: int, period_ns: int) -> None:
        if period_ns < 0:
            raise ValueError(f"expected a period of 0 ns or more, found {period_ns}")
        self.capital_base: Final = capital_base
        self.period_ns = period_ns
        self.last = EquityPoint(time_start_ns, capital_base)
        self.points = [self.last]
        self.drawdown = DrawdownTracker()
        self.drawdown.update(capital_base, time_start_ns)

    def update(self, time_ns: int, equity: Decimal) -> None:
        """Take in the equity at a time between the ends of periods."""
        self.last = EquityPoint(time_ns, equity)
        self.drawdown.update(equity, time_ns)

    def sample(self, time_ns: int, equity: Decimal) -> None:
        """Take in the equity at the end of a period, and keep it."""
        self.update(time_ns, equity)
        self.points.append(self.last)
        if len(self.points) > POINTS_MAX:
            self.points = self.points[::2]
            self.period_ns *= 2

    def next_sample_ns(self) -> int | None:
        """Return when the current period ends, none if there are no periods."""
        return self.points[-1].time_ns + self.period_ns if self.period_ns else None

    def returns(self) -> list[Decimal] | None:
        """Return the return of each whole period, as fractions; none where equity was 0 or less before one."""
        found: list[Decimal] = []
        for i in range(1, len(self.points)):
            before = self.points[i - 1].equity
            if before <= ZERO:
                return None
            found.append(self.points[i].equity / before - ONE)
        return found
