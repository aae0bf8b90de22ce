"""Maximum drawdown: the deepest of all."""

from typing import ClassVar, final

from tradebus.core.model.record import Record
from tradebus.core.statistics.drawdown import Drawdown


def deeper(first: Drawdown | None, second: Drawdown | None) -> Drawdown | None:
    """Return the one with the larger amount, the first where they are equal or there is no second."""
    if first is None or second is None:
        return second if first is None else first
    return second if abs(second.value) > abs(first.value) else first


@final
class MaxDrawdownGenerator(Record):
    """Keeps the deepest drawdown, none before the first. Source: barter 0.12.5 ``statistic/metric/drawdown/max.rs``."""

    FIELDS: ClassVar[tuple[str, ...]] = ("max",)

    def __init__(self, max: Drawdown | None = None) -> None:  # noqa: A002 - the field's term
        self.max = max

    def update(self, drawdown: Drawdown) -> None:
        """Take in an ended drawdown."""
        self.max = deeper(self.max, drawdown)
