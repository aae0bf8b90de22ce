"""Follow one value and say all about its drawdowns: the running one, the mean, the deepest.

Reading changes nothing: the running drawdown counts in mean and maximum of the sheet and is not taken in, so that
asking twice gives the same (barter 0.12.5 counts it again each time).
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.record import Record
from tradebus.core.statistics.drawdown import Drawdown, DrawdownGenerator
from tradebus.core.statistics.drawdown_max import MaxDrawdownGenerator, deeper
from tradebus.core.statistics.drawdown_mean import MeanDrawdown, MeanDrawdownGenerator


@final
class DrawdownSheet(Record):
    """The running drawdown, and mean and deepest including it; none where there was none."""

    FIELDS: ClassVar[tuple[str, ...]] = ("running", "mean", "max")

    def __init__(self, running: Drawdown | None, mean: MeanDrawdown | None, max: Drawdown | None) -> None:  # noqa: A002 - the field's term
        self.running: Final = running
        self.mean: Final = mean
        self.max: Final = max


@final
class DrawdownTracker(Record):
    """The drawdowns of one value as it moves."""

    FIELDS: ClassVar[tuple[str, ...]] = ("generator", "mean", "max")

    def __init__(
        self,
        generator: DrawdownGenerator | None = None,
        mean: MeanDrawdownGenerator | None = None,
        max: MaxDrawdownGenerator | None = None,  # noqa: A002 - the field's term
    ) -> None:
        self.generator = DrawdownGenerator() if generator is None else generator
        self.mean = MeanDrawdownGenerator() if mean is None else mean
        self.max = MaxDrawdownGenerator() if max is None else max

    def update(self, value: Decimal, time_ns: int) -> Drawdown | None:
        """Take in the next value; return the drawdown that it ended, if it ended one."""
        ended = self.generator.update(value, time_ns)
        if ended is not None:
            self.mean.update(ended)
            self.max.update(ended)
        return ended

    def sheet(self) -> DrawdownSheet:
        """Return what there is to say now; calling it changes nothing."""
        running = self.generator.running()
        return DrawdownSheet(running, self.mean.with_next(running), deeper(self.max.max, running))

    def sheet_with(self, value: Decimal, time_ns: int) -> DrawdownSheet:
        """Return the sheet as it would be after one more value, without taking it in."""
        before = self.generator
        generator = DrawdownGenerator(before.peak, before.drawdown_max, before.time_peak_ns, before.time_now_ns)
        mean = MeanDrawdownGenerator(self.mean.count, self.mean.mean)
        ahead = DrawdownTracker(generator, mean, MaxDrawdownGenerator(self.max.max))
        ahead.update(value, time_ns)
        return ahead.sheet()
