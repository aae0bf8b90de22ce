"""Keep what could not be read on ``dlq.market``, without holding up the feed that it came on.

A box takes letters at once and posts them one after the other. It is bounded: of a flood of bad frames the first ones
are kept and the rest is counted.
"""

import asyncio
import time
from collections import deque
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.market.metrics import MarketMetrics
from tradebus.bus.errors import BusError, BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.wire import subjects
from tradebus.wire.codec.dlq import DeadLetter, dead_letter, dead_letter_to_bytes
from tradebus.wire.integrity import checked_headers

SERVICE: Final = "market"
WAITING_MAX: Final = 256
RETRY_WAIT_S: Final = 0.5


@final
class DeadLetterBox:
    """Posts dead letters in the background; ``run`` is the task that does."""

    def __init__(self, bus: Bus, metrics: MarketMetrics, log: BoundLogger) -> None:
        self._bus: Final = bus
        self._metrics: Final = metrics
        self._log: Final = log
        self._waiting: Final[deque[DeadLetter]] = deque()
        self._wake: Final = asyncio.Event()
        self.posted = 0
        self.lost = 0

    def put(self, subject: str, reason: str, payload: bytes) -> None:
        """Take a message that could not be read; ``subject`` says where it came from."""
        if len(self._waiting) >= WAITING_MAX:
            self._lose("too many bad messages at once")
            return
        self._waiting.append(dead_letter(SERVICE, subject, reason, payload, time.time_ns()))
        self._wake.set()

    async def run(self) -> None:
        """Post what was put in, for ever; an unreachable bus is tried again, a refusal loses the letter."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._post(self._waiting[0])
                self._waiting.popleft()

    async def drain(self, timeout_s: float) -> None:
        """Give what still waits a last chance."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting:
                    await self._post(self._waiting[0])
                    self._waiting.popleft()
        except TimeoutError:
            for _ in range(len(self._waiting)):
                self._lose("the service stopped")
            self._waiting.clear()

    async def _post(self, letter: DeadLetter) -> None:
        payload = dead_letter_to_bytes(letter)
        while True:
            try:
                await self._bus.append(subjects.dlq(SERVICE), payload, headers=checked_headers(payload))
            except BusUnavailable as error:
                if not error.recoverable:
                    self._lose(str(error))
                    return
                await asyncio.sleep(RETRY_WAIT_S)
            except BusError as error:
                self._lose(str(error))
                return
            else:
                self.posted += 1
                return

    def _lose(self, reason: str) -> None:
        self.lost += 1
        self._metrics.dead_letters_lost.inc()
        if self.lost == 1 or self.lost % 1_000 == 0:
            self._log.warning("a dead letter could not be kept", reason=reason, lost=self.lost)
