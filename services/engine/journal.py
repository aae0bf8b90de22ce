"""Put every tick into the audit journal: collected into batches, hashed when due, appended as the only writer."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.engine.position import JournalEnd
from tradebus.bus.interface import Bus
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, TICKS_MAX, ItemTooLarge, SealedBatch, sealed
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatchHead, audit_batch_join, tick_frame, tick_to_bytes

BEHIND_TICKS: Final = 8 * TICKS_MAX
HASH_EVERY_BATCH: Final = 0
NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the state is hashed: after so many ticks or so many nanoseconds, whichever is first.

    ``ticks`` 0 means with every batch.
    """

    ticks: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash of the state after a tick; the batch that holds it ends with that tick."""

    sequence: int
    hash: StateHash


@final
class AuditJournal(BatchSource):
    """The journal of one engine on a fresh or known stream.

    ``on_durable`` is called with the last sequence of each batch once it is on disk.
    """

    def __init__(
        self,
        bus: Bus,
        engine: Engine,
        stream_engine: str,
        cadence: Cadence,
        end: JournalEnd,
        on_durable: Callable[[int], None] | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._engine: Final = engine
        self._cadence: Final = cadence
        self._clock: Final = clock
        self._on_durable: Final = on_durable
        self._fingerprint: Final = engine.started.index.fingerprint()
        self._frames: Final[deque[bytes]] = deque()
        self._first = engine.sequence
        self._open_ticks = 0
        self._open_bytes = 0
        self._marks: Final[deque[Mark]] = deque()
        self._ticks_since_hash = 0
        self._hashed_ns = clock()
        self._ready: Final = asyncio.Event()
        self._ready.set()
        self.durable_sequence = engine.sequence - 1
        self.last_hash: Mark | None = None
        self.writer: Final = JournalWriter(
            bus,
            subjects.audit(stream_engine),
            subjects.audit_stream(stream_engine),
            self,
            position=end.position,
            chain=end.chain,
        )

    @property
    def pending(self) -> int:
        """Return how many ticks are not in a batch yet."""
        return len(self._frames)

    @property
    def is_behind(self) -> bool:
        """Tell whether so many ticks wait that no more market data should be taken in."""
        return len(self._frames) >= BEHIND_TICKS

    async def wait_ready(self) -> None:
        """Return when the journal is not behind."""
        while self.is_behind:
            self._ready.clear()
            await self._ready.wait()

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick. Raises ItemTooLarge for one that no batch can hold."""
        encoded = tick_frame(tick_to_bytes(tick, event_bytes))
        if len(encoded) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"tick {tick.sequence}", len(encoded))
        if self._open_ticks and self._open_bytes + len(encoded) > BATCH_BYTES_MAX:
            self._open_ticks = 0
            self._open_bytes = 0
        self._frames.append(encoded)
        self._open_ticks += 1
        self._open_bytes += len(encoded)
        self._ticks_since_hash += 1
        if tick.is_terminal or self._is_hash_due():
            self._mark(tick.sequence)
        elif self._open_ticks >= TICKS_MAX:
            if self._cadence.ticks == HASH_EVERY_BATCH:
                self._mark(tick.sequence)
            self._open_ticks = 0
            self._open_bytes = 0
        self.writer.wake()

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch: as many waiting ticks as fit, up to the next hash."""
        if not self._frames:
            return None
        taken: list[bytes] = []
        size = 0
        state_hash: StateHash | None = None
        sequence = self._first - 1
        while self._frames and len(taken) < TICKS_MAX:
            if taken and size + len(self._frames[0]) > BATCH_BYTES_MAX:
                break
            size += len(self._frames[0])
            taken.append(self._frames.popleft())
            sequence += 1
            if self._marks and self._marks[0].sequence == sequence:
                state_hash = self._marks.popleft().hash
                break
        if state_hash is None and not self._frames and self._cadence.ticks == HASH_EVERY_BATCH:
            # Everything that was processed is in this batch, so the state is the one after its last tick.
            state_hash = self._hash(sequence)
        if not self._frames:
            self._open_ticks = 0
            self._open_bytes = 0
        payload = audit_batch_join(
            AuditBatchHead(
                self._engine.started.engine_id,
                self._engine.epoch,
                self._first,
                sequence,
                bytes.fromhex(previous_chain),
                self._fingerprint,
                0 if state_hash is None else state_hash.version,
                "" if state_hash is None else state_hash.core,
                "" if state_hash is None else state_hash.user,
            ),
            taken,
        )
        batch = sealed(payload, self._first, sequence)
        self._first = sequence + 1
        if not self.is_behind:
            self._ready.set()
        return batch

    def durable(self, batch: SealedBatch, sequence: int) -> None:  # noqa: ARG002 - the stream's number is the writer's
        """Take note that a batch is on disk."""
        self.durable_sequence = batch.last
        if self._on_durable is not None:
            self._on_durable(batch.last)

    def _is_hash_due(self) -> bool:
        if self._cadence.ticks == HASH_EVERY_BATCH:
            return False
        if self._ticks_since_hash >= self._cadence.ticks:
            return True
        # The clock is asked now and then only: it costs as much as a good part of a tick.
        if self._ticks_since_hash % 16 and self._open_ticks > 1:
            return False
        return self._clock() - self._hashed_ns >= self._cadence.time_ns

    def _mark(self, sequence: int) -> None:
        self._marks.append(Mark(sequence, self._hash(sequence)))
        self._open_ticks = 0
        self._open_bytes = 0

    def _hash(self, sequence: int) -> StateHash:
        state_hash = self._engine.hash()
        self._ticks_since_hash = 0
        self._hashed_ns = self._clock()
        self.last_hash = Mark(sequence, state_hash)
        return state_hash
