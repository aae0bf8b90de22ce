"""Name the stretches of time that returns and ratios are about.

Source: barter 0.12.5 ``statistic/time.rs``. Scaling uses whole seconds.
"""

from typing import ClassVar, Final, final

from tradebus.core.model.record import Record

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
DAY_NS: Final = 86_400 * SECOND_NS


@final
class TimeInterval(Record):
    """A stretch of time under the name it is shown with; duration in nanoseconds."""

    FIELDS: ClassVar[tuple[str, ...]] = ("name", "duration_ns")

    def __init__(self, name: str, duration_ns: int) -> None:
        self.name: Final = name
        self.duration_ns: Final = duration_ns

    @property
    def seconds(self) -> int:
        """Return the whole seconds, a fraction cut off towards zero."""
        whole = abs(self.duration_ns) // SECOND_NS
        return whole if self.duration_ns >= 0 else -whole


DAILY: Final = TimeInterval("Daily", DAY_NS)
ANNUAL_252: Final = TimeInterval("Annual(252)", 252 * DAY_NS)
ANNUAL_365: Final = TimeInterval("Annual(365)", 365 * DAY_NS)


def interval_of(duration_ns: int) -> TimeInterval:
    """Return an interval of any duration, named by its whole minutes: ``Duration 120 (minutes)``."""
    minutes = abs(duration_ns) // MINUTE_NS
    return TimeInterval(f"Duration {minutes if duration_ns >= 0 else -minutes} (minutes)", duration_ns)
