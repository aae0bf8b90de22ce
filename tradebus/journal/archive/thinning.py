"""Choose which checkpoints to keep: many of late, fewer the older they are."""

from collections.abc import Mapping
from typing import Final

NEWEST_KEPT: Final = 3

_HOUR_NS: Final = 3_600 * 1_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
_STEPS: Final = ((_DAY_NS, _HOUR_NS), (31 * _DAY_NS, _DAY_NS), (None, 7 * _DAY_NS))
"""Up to which age one checkpoint is kept of each so long period."""


def dispensable(times_ns: Mapping[int, int]) -> list[int]:
    """Return the checkpoints to let go, by tick; ``times_ns`` holds the engine time of each.

    The newest three stay, and of the others the first of each hour, of each day once they are a day older than the
    newest, of each week after 31 days. Which stay does not depend on when this is asked, so nothing that was kept for
    its hour is missing when it should stand for its day.
    """
    if not times_ns:
        return []
    sequences = sorted(times_ns)
    newest_ns = times_ns[sequences[-1]]
    dropped: list[int] = []
    seen: set[tuple[int, int]] = set()
    for sequence in sequences[:-NEWEST_KEPT]:
        time_ns = times_ns[sequence]
        period_ns = next(each for limit, each in _STEPS if limit is None or newest_ns - time_ns <= limit)
        period = period_ns, time_ns // period_ns
        if period in seen:
            dropped.append(sequence)
        seen.add(period)
    return dropped
