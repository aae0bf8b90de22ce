"""Measure silence by the time in which we could have heard something."""

import time
from collections.abc import Callable
from typing import Final, final

STEP_NS_MAX: Final = 500_000_000


@final
class AwakeClock:
    """Nanoseconds in which this process ran and its event loop turned, from an arbitrary beginning.

    Who was stopped, or blocked by its own work, hears nothing and must not call others silent for it. So the clock goes
    on only by ``tick``, which is called regularly, and by ``STEP_NS_MAX`` at most.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock: Final = clock
        self._ticked_ns = clock()
        self._now_ns = 0

    def __call__(self) -> int:
        """Return the time of the last tick."""
        return self._now_ns

    def tick(self) -> None:
        """Go on by the time since the last call, as far as it counts."""
        now_ns = self._clock()
        self._now_ns += min(now_ns - self._ticked_ns, STEP_NS_MAX)
        self._ticked_ns = now_ns
