"""Heartbeats: silence is not health, so every process says regularly that it lives and how far it has got."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final


@dataclass(frozen=True, slots=True)
class Position:
    """How far a process has got in one stream or shard that it publishes; sequence 0 is "none yet"."""

    subject: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat: who, in which state, how far in everything numbered that it publishes, and what it owns."""

    service: str
    instance: str
    mode: str
    state: str
    time_ns: int
    positions: Sequence[Position]
    leases: Sequence[str]


@final
class Heartbeats:
    """Calls `send` with a beat every `period_s`, at once and at the end included."""

    def __init__(self, make: Callable[[int], Beat], send: Callable[[Beat], None], period_s: float) -> None:
        self._make: Final = make
        self._send: Final = send
        self._period_s: Final = period_s

    def beat(self) -> None:
        """Send one now."""
        self._send(self._make(time.time_ns()))

    async def run(self) -> None:
        """Send one a period until cancelled. Periods are measured from the first, so that they do not drift."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.beat()
            due = max(due + self._period_s, loop.time())
            await asyncio.sleep(due - loop.time())
