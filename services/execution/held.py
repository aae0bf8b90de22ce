"""Read what an account's journal held before this process took it, a part at a time, however long the history is."""

import asyncio
from collections import deque
from typing import Final, final

from services.execution.account_journal import AccountEnd
from services.runtime.pressure import Pressure
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.event import AccountEvent
from tradebus.journal.verify import AccountVerifier, JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import UNBOUNDED

HELD_MAX: Final = 4_096
"""So many events are kept for who asks for them; the reader waits meanwhile."""


@final
class HeldEvents:
    """The account events in a journal up to where it ended, verified and in order."""

    def __init__(self, bus: Bus, account: str, end: AccountEnd) -> None:
        self._bus: Final = bus
        self._account: Final = account
        self._end: Final = end
        # An earlier run may have numbered its instruments otherwise.
        self._verifier: Final = AccountVerifier(UNBOUNDED)
        self._events: Final[deque[AccountEvent]] = deque()
        self._arrived: Final = asyncio.Event()
        self._room: Final = Pressure(lambda: len(self._events) >= HELD_MAX)
        self._reader: JournalReader | None = None
        self._is_read = end.position == 0
        self._is_stopped = False

    @property
    def is_done(self) -> bool:
        """Tell whether every event was handed out."""
        return self._is_read and not self._events

    async def start(self) -> None:
        """Begin to read."""
        if not self._is_read:
            self._reader = await self._bus.consume(subjects.acct_stream(self._account), 1, self._on_message)

    async def stop(self) -> None:
        """Read no more, and let go who waits."""
        self._is_stopped = True
        self._room.release()
        self._arrived.set()
        if self._reader is not None:
            await self._reader.stop()

    async def next(self) -> AccountEvent | None:
        """Return the next event, however long reading takes.

        None when there is none left, and then ``is_done``, or when it was stopped.
        """
        while not self._events and not self._is_read and not self._is_stopped:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._events:
            return None
        event = self._events.popleft()
        self._room.eased()
        return event

    async def _on_message(self, message: JournalMessage) -> None:
        # A damaged journal of money raises and ends the reader: the service stops rather than guess.
        batch = self._verifier.accept(message)
        self._events.extend(entry.record for entry in batch.entries if isinstance(entry.record, AccountEvent))
        if message.sequence < self._end.position:
            self._arrived.set()
            await self._room.wait()
            return
        if self._verifier.chain != self._end.chain:
            raise JournalDamaged(message.stream, message.sequence, "it is not the message that it was before")
        self._is_read = True
        self._arrived.set()
        if self._reader is not None:
            await self._reader.stop()  # what follows was written since
