"""Keep what could not be read on ``dlq.<service>``, without holding up the stream it came on.

``put`` takes a letter at once, from any handler; a task of the box appends them one after the other and tries again
through an outage. The box is bounded: of a flood of bad messages the first ones are kept and the rest is counted.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus
from tradebus.wire import subjects
from tradebus.wire.codec.dlq import DeadLetter, dead_letter, dead_letter_to_bytes
from tradebus.wire.integrity import checked_headers

WAITING_MAX: Final = 256
RETRY_S: Final = 0.5


@final
class DeadLetters:
    """The dead letters of one service. Make it within the event loop, ``close`` it before the bus.

    ``on_lost`` is called with the reason for each letter that could not be kept; ``clock_ns`` stamps them.
    An append whose outcome is unknown is repeated, so that a letter may be kept twice but not lost.
    """

    def __init__(
        self,
        bus: Bus,
        service: str,
        *,
        on_lost: Callable[[str], None] = lambda _reason: None,
        waiting_max: int = WAITING_MAX,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._bus: Final = bus
        self._service: Final = service
        self._subject: Final = subjects.dlq(service)
        self._on_lost: Final = on_lost
        self._waiting_max: Final = waiting_max
        self._clock_ns: Final = clock_ns
        self._waiting: Final[deque[DeadLetter]] = deque()
        self._wake: Final = asyncio.Event()
        self._closing = False
        self._task: Final = asyncio.get_running_loop().create_task(self._run())
        self.kept = 0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Return how many letters are not kept yet."""
        return len(self._waiting)

    def put(self, subject: str, reason: str, payload: bytes, stream_sequence: int = 0) -> None:
        """Take a message that could not be read. Of the payload at most 64 KiB are kept, and its whole length.

        ``subject`` says where it came from; ``stream_sequence`` is 0 for what came over no stream.
        """
        if self._closing or len(self._waiting) >= self._waiting_max:
            self._lose("the service stops" if self._closing else "too many bad messages at once")
            return
        self._waiting.append(
            dead_letter(self._service, subject, reason, payload, self._clock_ns(), stream_sequence=stream_sequence)
        )
        self._wake.set()

    async def close(self, timeout_s: float = 2.0) -> None:
        """Give what still waits that much time, count the rest as lost, and end. Never raises."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=timeout_s)
        self._task.cancel()
        await asyncio.wait([self._task])
        while self._waiting:
            self._waiting.popleft()
            self._lose("the service stopped before it could be kept")

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            elif await self._keep(self._waiting[0]):
                self._waiting.popleft()
            else:
                await asyncio.sleep(RETRY_S)

    async def _keep(self, letter: DeadLetter) -> bool:
        """Append one letter; False when that is worth another try."""
        payload = dead_letter_to_bytes(letter)
        try:
            await self._bus.append(self._subject, payload, headers=checked_headers(payload))
        except BusError as error:
            if error.recoverable:
                return False
            self._lose(str(error))
        else:
            self.kept += 1
        return True

    def _lose(self, reason: str) -> None:
        self.lost += 1
        self._on_lost(reason)
