"""Append to a journal as its only writer: one batch in flight, the next one fills meanwhile.

Every append is fenced by the stream's expected last sequence alone. After an uncertain acknowledgement *or a refusal*
(a first copy may have landed late) the stream's last message is read and its chain hash compared: ours, it landed; the
one before, it did not, and is published again; another one, somebody else writes here and we are fenced.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Final, final

from tradebus.bus.errors import (
    AppendUncertain,
    BusUnavailable,
    JournalFull,
    NotSent,
    Refused,
)
from tradebus.bus.interface import Bus
from tradebus.journal.sealed import SealedBatch
from tradebus.wire.integrity import CHAIN_HEADER, CHAIN_START

RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 1.0
APPEND_TIMEOUT_S: Final = 2.0


class Fenced(Exception):
    """Another writer appended to the journal; nothing more may be written or acted on."""

    def __init__(self, stream: str, position: int, chain: str, found: str) -> None:
        super().__init__(
            f"{stream}: another writer appended after sequence {position}: expected chain {chain}, found {found}"
        )
        self.stream: Final = stream
        self.position: Final = position


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

    ``run`` ends when ``close`` was called and all is written; it raises Fenced. Times are monotonic seconds.
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
    ) -> None:
        self._bus: Final = bus
        self._subject: Final = subject
        self._stream: Final = stream
        self._source: Final = source
        self.position = position
        self.chain = chain
        self._wake: Final = asyncio.Event()
        self._is_closing = False
        self.in_flight_since_s: float | None = None
        self.batches = 0
        self.retries = 0
        self.trouble = ""

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
        """Write until closed."""
        while True:
            batch = self._source.next_batch(self.chain)
            if batch is None:
                if self._is_closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            self.in_flight_since_s = time.monotonic()
            sequence = await self._append(batch)
            self.in_flight_since_s = None
            self.trouble = ""
            self.position = sequence
            self.chain = batch.chain
            self.batches += 1
            self._source.durable(batch, sequence)

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
                self.trouble = str(error)
            except JournalFull as error:
                self.trouble = str(error)
            except (AppendUncertain, Refused) as error:
                self.trouble = str(error)
                landed = await self._resolve(batch)
                if landed is not None:
                    return landed
            self.retries += 1
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def _resolve(self, batch: SealedBatch) -> int | None:
        """Return where the batch landed, none if it did not; raises Fenced."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                last = await self._bus.last_message(self._stream)
                break
            except BusUnavailable as error:
                self.trouble = str(error)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)
        if last is None:
            if self.position == 0:
                return None
            raise Fenced(self._stream, self.position, self.chain, "an empty stream")
        found = (last.headers or {}).get(CHAIN_HEADER, "no chain hash")
        if found == batch.chain and last.sequence == self.position + 1:
            return last.sequence
        if last.sequence == self.position and (found == self.chain or self.position == 0):
            return None
        raise Fenced(self._stream, self.position, self.chain, f"{found} at {last.sequence}")
