"""Keep what could not be read in ``dlq.<service>``, without holding up what it came on.

A box takes letters at once and posts them one after the other. It is bounded: of a flood of bad messages the first
ones are kept and the rest is counted.
"""

import asyncio
import time
from collections import deque
from typing import Final, final

from prometheus_client import CollectorRegistry, Counter
from structlog.stdlib import BoundLogger

from tradebus.bus.errors import BusError, BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.wire import subjects
from tradebus.wire.codec.dlq import DeadLetter, dead_letter, dead_letter_to_bytes
from tradebus.wire.integrity import checked_headers

WAITING_MAX: Final = 256
RETRY_WAIT_S: Final = 0.5
LOG_EVERY: Final = 1_000


@final
class DeadLetterBox:
    """Posts dead letters in the background; ``run`` is the task that does."""

    def __init__(self, service: str, bus: Bus, registry: CollectorRegistry, log: BoundLogger) -> None:
        self._service: Final = service
        self._bus: Final = bus
        self._log: Final = log
        self._waiting: Final[deque[DeadLetter]] = deque()
        self._wake: Final = asyncio.Event()
        self._posting: Final = asyncio.Lock()
        self._taken_metric: Final = Counter(
            "tradebus_dead_letters", "Messages that could not be read", registry=registry
        )
        self._lost_metric: Final = Counter(
            "tradebus_dead_letters_lost", "Unreadable messages that could not be kept either", registry=registry
        )
        self.taken = 0
        self.posted = 0
        self.lost = 0

    def put(self, subject: str, payload: bytes, reason: str) -> None:
        """Take a message that could not be read; ``subject`` says where it came from."""
        self.taken += 1
        self._taken_metric.inc()
        if self.taken == 1 or self.taken % LOG_EVERY == 0:
            self._log.warning("unreadable message", subject=subject, reason=reason, taken=self.taken)
        if len(self._waiting) >= WAITING_MAX:
            self._lose("too many bad messages at once")
            return
        self._waiting.append(dead_letter(self._service, subject, reason, payload, time.time_ns()))
        self._wake.set()

    async def run(self) -> None:
        """Post what was put in, for ever; an unreachable bus is tried again, a refusal loses the letter."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._post_waiting()

    async def drain(self, timeout_s: float) -> None:
        """Give what still waits a last chance, whether ``run`` still runs or not."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._post_waiting()
        except TimeoutError:
            for _ in range(len(self._waiting)):
                self._lose("the service stopped")
            self._waiting.clear()

    async def _post_waiting(self) -> None:
        async with self._posting:  # one at a time, so that no letter is posted twice or passed over
            while self._waiting:
                letter = self._waiting[0]
                await self._post(letter)
                if self._waiting and self._waiting[0] is letter:  # `drain` may have given up on it meanwhile
                    self._waiting.popleft()

    async def _post(self, letter: DeadLetter) -> None:
        payload = dead_letter_to_bytes(letter)
        while True:
            try:
                await self._bus.append(subjects.dlq(self._service), payload, headers=checked_headers(payload))
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
        self._lost_metric.inc()
        if self.lost == 1 or self.lost % LOG_EVERY == 0:
            self._log.warning("a dead letter could not be kept", reason=reason, lost=self.lost)
