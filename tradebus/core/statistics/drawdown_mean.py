"""Mean drawdown: how deep and how long they were on average."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.record import Record
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.welford import next_mean, next_mean_integer

MILLISECOND_NS: Final = 1_000_000


@final
class MeanDrawdown(Record):
    """The mean depth (a fraction) and the mean duration in whole milliseconds."""

    FIELDS: ClassVar[tuple[str, ...]] = ("mean_drawdown", "mean_drawdown_ms")

    def __init__(self, mean_drawdown: Decimal, mean_drawdown_ms: int) -> None:
        self.mean_drawdown: Final = mean_drawdown
        self.mean_drawdown_ms: Final = mean_drawdown_ms


@final
class MeanDrawdownGenerator(Record):
    """Keeps the running mean; none before the first drawdown.

    Durations are whole milliseconds and their mean cuts at every step, as in the source, so it may be some
    milliseconds short. Source: barter 0.12.5 ``statistic/metric/drawdown/mean.rs``.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("count", "mean")

    def __init__(self, count: int = 0, mean: MeanDrawdown | None = None) -> None:
        self.count = count
        self.mean = mean

    def update(self, drawdown: Drawdown) -> None:
        """Take in an ended drawdown."""
        self.mean = self.with_next(drawdown)
        self.count += 1

    def with_next(self, drawdown: Drawdown | None) -> MeanDrawdown | None:
        """Return what the mean would be with one more, without taking it in."""
        mean = self.mean
        if drawdown is None:
            return mean
        duration_ms = drawdown.duration_ns // MILLISECOND_NS
        if mean is None:
            return MeanDrawdown(drawdown.value, duration_ms)
        count = self.count + 1
        return MeanDrawdown(
            next_mean(mean.mean_drawdown, drawdown.value, count),
            next_mean_integer(mean.mean_drawdown_ms, duration_ms, count),
        )
