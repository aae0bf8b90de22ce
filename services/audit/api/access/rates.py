"""How many requests a caller may make: a bucket of tokens for each, filled again as time passes."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, final

CALLERS_MAX: Final = 10_000
"""Callers remembered at most; who has not asked for longest is forgotten first, and begins with a full bucket."""

BURST_S: Final = 2
"""A bucket holds what comes in so many seconds."""


@final
class Rates:
    """Buckets by caller."""

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_s: Final = per_s
        self._clock: Final = clock
        self._buckets: Final[OrderedDict[str, tuple[float, float]]] = OrderedDict()

    def take(self, caller: str) -> int:
        """Take a token; return 0, or after how many seconds there will be one."""
        now_s = self._clock()
        full = float(self.per_s * BURST_S)
        tokens, at_s = self._buckets.get(caller, (full, now_s))
        tokens = min(full, tokens + (now_s - at_s) * self.per_s)
        enough = tokens >= 1
        self._buckets[caller] = (tokens - 1 if enough else tokens, now_s)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0 if enough else max(1, math.ceil((1 - tokens) / self.per_s))
