"""Choose which checkpoints to keep: many of late, fewer the older they are.

What a state of the past costs is the ticks between it and the checkpoint before, so it is ticks that are counted.
"""

from collections.abc import Mapping
from typing import Final

NEWEST_KEPT: Final = 3

_HOUR_NS: Final = 3_600 * 1_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
_STEPS: Final = ((_DAY_NS, 25_000), (None, 100_000))
"""Behind the last hour: up to which age one checkpoint is kept of each so many ticks."""


def dispensable(times_ns: Mapping[int, int]) -> list[int]:
    """Return the checkpoints to let go, by tick; ``times_ns`` holds the engine time of each.

    All of the last hour stay, three at least, and of the others the first of each 25,000 ticks, of each 100,000 once
    they are a day older than the newest. Which stay does not depend on when this is asked, so nothing that was kept for
    the one is missing when it should stand for the other.
    """
    if not times_ns:
        return []
    sequences = sorted(times_ns)
    newest_ns = times_ns[sequences[-1]]
    dropped: list[int] = []
    seen: set[tuple[int, int]] = set()
    for sequence in sequences[:-NEWEST_KEPT]:
        age_ns = newest_ns - times_ns[sequence]
        period = next(each for limit, each in _STEPS if limit is None or age_ns <= limit)
        place = period, sequence // period
        if age_ns > _HOUR_NS and place in seen:
            dropped.append(sequence)
        seen.add(place)
    return dropped
