"""Append to a journal as its only writer: one batch in flight, the next one fills meanwhile.

Every append is fenced by the stream's expected last sequence alone. Where the stream ends is compared with what we
believe, by number and chain hash of its last message:

- before the first append and after each reconnection: it must be where we are;
- after an uncertain acknowledgement *or any refusal* (a first copy may have landed late): at our batch, it landed; at
  the one before, it did not, and is published again.

Anything else is somebody else's: we are fenced, and nothing more may be written or acted on.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final, final

from tradebus.bus.errors import AppendUncertain, BusUnavailable, NotSent, Refused
from tradebus.bus.events import BusEvent, Reconnected
from tradebus.bus.interface import Bus
from tradebus.crash_points import crash_point
from tradebus.journal.sealed import SealedBatch
from tradebus.wire.integrity import CHAIN_HEADER, CHAIN_START

RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 1.0
APPEND_TIMEOUT_S: Final = 2.0


class Fenced(Exception):
    """Another writer appended to the journal, or it lost what we wrote; nothing more may be written or acted on.

    ``expected`` and ``found`` are where the stream should end and where it does: sequence and chain hash.
    """

    def __init__(self, stream: str, expected: tuple[int, str], found: tuple[int, str]) -> None:
        super().__init__(
            f"{stream}: expected to end at message {expected[0]} with chain {expected[1]}, "
            f"found message {found[0]} with chain {found[1]}: another writer was here, or the journal lost messages"
        )
        self.stream: Final = stream
        self.expected: Final = expected
        self.found: Final = found


class BatchSource(ABC):
    """Who makes the batches: asked for the next one when the one before is durable."""

    @abstractmethod
    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch, sealed onto the chain; none while there is nothing to write."""

    @abstractmethod
    def durable(self, batch: SealedBatch, sequence: int) -> None:
        """Take note that a batch is on disk as message ``sequence``; only now may anything leave that it explains."""


@final
class JournalWriter:
    """Writes one stream. ``position`` and ``chain`` are the stream's last sequence and that message's chain hash.

    ``run`` ends when ``close`` was called and all is written. While the broker cannot be reached or the stream is full
    it goes on trying, for ever: ``trouble`` says why (empty: all is well), ``unacknowledged_s`` since when, and whoever
    makes the batches decides what that means. ``uncertain`` counts appends whose outcome had to be looked up,
    ``recovered`` those of them that turned out to have landed. Times are monotonic seconds. ``stored_point`` names the
    crash point behind each append.
    """

    def __init__(
        self,
        bus: Bus,
        subject: str,
        stream: str,
        source: BatchSource,
        *,
        position: int = 0,
        chain: str = CHAIN_START,
        stored_point: str = "",
    ) -> None:
        self._bus: Final = bus
        self._subject: Final = subject
        self._stream: Final = stream
        self._source: Final = source
        self._stored_point: Final = stored_point
        self.position = position
        self.chain = chain
        self._wake: Final = asyncio.Event()
        self._is_closing = False
        self._is_confirmed = False
        self.in_flight_since_s: float | None = None
        self.batches = 0
        self.retries = 0
        self.uncertain = 0
        self.recovered = 0
        self.trouble = ""
        bus.add_listener(self._on_bus_event)

    def wake(self) -> None:
        """Tell that the source has something."""
        self._wake.set()

    def close(self) -> None:
        """Write what is there, then end."""
        self._is_closing = True
        self._wake.set()

    def unacknowledged_s(self) -> float:
        """Return how long the batch in flight has waited for its acknowledgement, 0 when none is in flight."""
        return 0.0 if self.in_flight_since_s is None else time.monotonic() - self.in_flight_since_s

    async def run(self) -> None:
        """Write until closed. Raises Fenced, NoJournal, PermissionDenied, BusClosed, PayloadTooLarge: all for good."""
        while True:
            if not self._is_confirmed:
                await self._confirm()
            batch = self._source.next_batch(self.chain)
            if batch is None:
                if self._is_closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            self.in_flight_since_s = time.monotonic()
            sequence = await self._append(batch)
            if sequence != self.position + 1:
                # Seen of a nats-server whose file was damaged: it compared with where the stream ended once.
                raise Fenced(self._stream, (self.position + 1, batch.chain), (sequence, batch.chain))
            if self._stored_point:
                crash_point(self._stored_point)
            self.in_flight_since_s = None
            self.trouble = ""
            self.position = sequence
            self.chain = batch.chain
            self.batches += 1
            self._source.durable(batch, sequence)

    def _on_bus_event(self, event: BusEvent) -> None:
        if isinstance(event, Reconnected):
            self._is_confirmed = False
            self._wake.set()

    async def _confirm(self) -> None:
        """Check that the stream ends where we believe; raises Fenced."""
        # Before looking: what happens while we look asks for another look.
        self._is_confirmed = True
        found = await self._end()
        if found != (self.position, self.chain):
            raise Fenced(self._stream, (self.position, self.chain), found)
        self.trouble = ""

    async def _append(self, batch: SealedBatch) -> int:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return await self._bus.append(
                    self._subject,
                    batch.payload,
                    expected_last_sequence=self.position,
                    headers=batch.headers,
                    timeout_s=APPEND_TIMEOUT_S,
                )
            except NotSent as error:
                if not error.recoverable:
                    raise
                self.trouble = str(error)
            except (AppendUncertain, Refused) as error:
                self.trouble = str(error)
                self.uncertain += 1
                if await self._has_landed(batch):
                    self.recovered += 1
                    return self.position + 1
            self.retries += 1
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _has_landed(self, batch: SealedBatch) -> bool:
        """Tell whether a batch is the stream's last message; raises Fenced where neither it nor the one before is."""
        found = await self._end()
        if found == (self.position + 1, batch.chain):
            return True
        if found == (self.position, self.chain):
            return False
        raise Fenced(self._stream, (self.position, self.chain), found)

    async def _end(self) -> tuple[int, str]:
        """Return the stream's last sequence and that message's chain hash, however long the broker takes to answer."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                last = await self._bus.last_message(self._stream)
                if last is not None:
                    return last.sequence, (last.headers or {}).get(CHAIN_HEADER, "none")
                # Nothing is there: because nothing ever was, or because somebody removed it.
                state = await self._bus.journal_state(self._stream)
                if state.messages:
                    continue  # something arrived between the two questions
            except BusUnavailable as error:
                if not error.recoverable:
                    raise
                self.trouble = str(error)
            else:
                return state.last_sequence, "none" if state.last_sequence else CHAIN_START
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)
