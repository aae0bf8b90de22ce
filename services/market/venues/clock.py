"""Give the connectors their time from outside, so that tests can drive it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What a connector needs of time."""

    def now_ns(self) -> int:
        """Return the wall clock: nanoseconds since the epoch, UTC. What events are stamped with."""
        ...

    def monotonic_ns(self) -> int:
        """Return a clock that never jumps, in nanoseconds: what durations are measured with."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return the wall clock, nanoseconds since the epoch, UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return the machine's monotonic clock, in nanoseconds."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait, in the running event loop."""
        await asyncio.sleep(seconds)
