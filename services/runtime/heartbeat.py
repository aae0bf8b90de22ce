"""Heartbeats: silence is not health, so every process says regularly that it lives and how far it has got."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, final

from tradebus.wire.codec.heartbeat import Heartbeat


@final
class Heartbeats:
    """Calls `send` with a heartbeat at once and then every `period_s`."""

    def __init__(self, make: Callable[[int], Heartbeat], send: Callable[[Heartbeat], None], period_s: float) -> None:
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
