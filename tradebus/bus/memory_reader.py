"""A journal reader on a memory bus."""

import asyncio
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.errors import JournalPruned, JournalRewound
from tradebus.bus.events import EventHub, ReaderResumed
from tradebus.bus.memory_store import MemoryStream
from tradebus.bus.message import JournalHandler
from tradebus.bus.reading import SLICE_MESSAGES, ReaderBase


@final
class MemoryReader(ReaderBase):
    """Reads a memory stream while its bus is connected."""

    def __init__(
        self,
        kept: MemoryStream,
        start_sequence: int,
        handler: JournalHandler,
        events: EventHub,
        is_connected: Callable[[], bool],
    ) -> None:
        if start_sequence < kept.first_sequence:
            raise JournalPruned(kept.spec.name, start_sequence, kept.first_sequence)
        super().__init__(kept.spec.name, start_sequence, kept.last_sequence, handler, events)
        self._kept: Final = kept
        self._is_connected: Final = is_connected
        self._wake: Final = asyncio.Event()
        self._wake.set()
        kept.attach(self._wake.set)
        self._task: Final = asyncio.get_running_loop().create_task(self._run())

    def resume(self) -> None:
        """Go on after a reconnection."""
        if not self.is_over:
            self._events.emit(ReaderResumed(self._stream, self._next_sequence, "reconnected"))
            self._wake.set()

    async def stop(self) -> None:
        """Stop reading; a handler that is running is awaited first, unless it is the caller."""
        self._note_stopped()
        self._wake.set()
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while not self.is_over:
                await self._wake.wait()
                self._wake.clear()
                while self._is_connected() and not self.is_over:
                    message = self._kept.delivery(self._next_sequence)
                    if message is None:
                        self._check_position()
                        break
                    await self._hand_over(message)
                    if message.sequence % SLICE_MESSAGES == 0:
                        await asyncio.sleep(0)
        finally:
            self._kept.detach(self._wake.set)

    def _check_position(self) -> None:
        wanted = self._next_sequence
        if wanted < self._kept.first_sequence:
            self._fail(JournalPruned(self._stream, wanted, self._kept.first_sequence))
        elif wanted > self._kept.last_sequence + 1:
            self._fail(JournalRewound(self._stream, wanted, self._kept.last_sequence))
