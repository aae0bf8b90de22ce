"""What every journal reader has in common: its position, catching up, and how it ends."""

import asyncio
from abc import abstractmethod
from typing import Final

from tradebus.bus.errors import BusClosed, BusError, HandlerRaised
from tradebus.bus.events import EventHub, ReaderFailed
from tradebus.bus.interface import JournalReader
from tradebus.bus.message import JournalHandler, JournalMessage

SLICE_MESSAGES: Final = 8
"""How many messages are handled on end before everything else in the loop gets a turn; each may be a large batch."""


class ReaderBase(JournalReader):
    """Keeps the position of a reader; a subclass brings the messages, in order, to ``_hand_over``."""

    def __init__(
        self, stream: str, start_sequence: int, end_sequence: int, handler: JournalHandler, events: EventHub
    ) -> None:
        self._stream: Final = stream
        self._handler: Final = handler
        self._events: Final = events
        self._next_sequence = start_sequence
        self._handled_sequence = start_sequence - 1
        self._end_sequence: Final = end_sequence
        self._failure: BusError | None = None
        self._stopped = False
        self._settled: Final = asyncio.Event()
        self._note_progress()

    @property
    def stream(self) -> str:
        """Return the name of the stream."""
        return self._stream

    @property
    def next_sequence(self) -> int:
        """Return the sequence that the handler gets next."""
        return self._next_sequence

    @property
    def end_sequence(self) -> int:
        """Return the stream's last sequence at the time reading began."""
        return self._end_sequence

    @property
    def is_caught_up(self) -> bool:
        """Whether the handler has returned for everything up to ``end_sequence``."""
        return self._handled_sequence >= self._end_sequence

    @property
    def failure(self) -> BusError | None:
        """Return why the reader stopped for good, or None."""
        return self._failure

    async def wait_caught_up(self) -> None:
        """Return when caught up; raise what ended the reader before that."""
        await self._settled.wait()
        if not self.is_caught_up:
            raise self._failure or BusClosed(self._stream)

    @abstractmethod
    async def stop(self) -> None:
        """Stop reading."""

    async def _hand_over(self, message: JournalMessage) -> None:
        """Give the next message to the handler. What it raises ends the reader: nothing may be skipped."""
        self._next_sequence = message.sequence + 1
        try:
            outcome = self._handler(message)
            if outcome is not None:
                await outcome
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported and reading ends here
            self._fail(HandlerRaised(self._stream, message.sequence, error))
            return
        self._handled_sequence = message.sequence
        self._note_progress()

    def _fail(self, error: BusError) -> None:
        """End the reader for good, once."""
        if self._failure is None and not self._stopped:
            self._failure = error
            self._settled.set()
            self._events.emit(ReaderFailed(self._stream, error))

    def _note_stopped(self) -> None:
        """End the reader because we were asked to."""
        self._stopped = True
        self._settled.set()

    @property
    def is_over(self) -> bool:
        """Whether the reader was stopped or has failed."""
        return self._stopped or self._failure is not None

    def _note_progress(self) -> None:
        if not self._settled.is_set() and self.is_caught_up:
            self._settled.set()
