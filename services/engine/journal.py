"""Put every tick into the audit journal: collected into batches, hashed when due, appended as the only writer."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from services.engine.position import JournalEnd
from services.engine.snapshotting import Snapshotting
from services.runtime.pressure import Pressure
from tradebus.bus.interface import Bus
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.crash_points import crash_point
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, TICKS_MAX, ItemTooLarge, SealedBatch, sealed
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.audit import (
    AuditBatchHead,
    audit_batch_join,
    market_ticks_frame,
    tick_frame,
    tick_to_bytes,
)

BEHIND_TICKS: Final = 8 * TICKS_MAX
HASH_EVERY_BATCH: Final = 0
SEAL_BYTES: Final = BATCH_BYTES_MAX // 2
"""Where every batch is hashed it ends here, while the state is still the one after its last tick."""

RUN_TICKS_MAX: Final = 64
"""So many plain ticks at most are recorded on end: a batch holds whole runs, longer ones would leave it half full."""

NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the state is hashed: after so many ticks or so many nanoseconds, whichever is first.

    ``ticks`` 0 means with every batch, but for one that ends because a tick of more than ``SEAL_BYTES`` follows: how
    large that would be nobody knew before the state had moved on.
    """

    ticks: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The hash of the state after a tick; the batch that holds it ends with that tick."""

    sequence: int
    hash: StateHash


class _Chunk(NamedTuple):
    """Ticks that were recorded together, as they stand in a batch."""

    ticks: int
    frames: bytes


@final
class AuditJournal(BatchSource):
    """The journal of one engine on a fresh or known stream. ``pressure`` holds up who feeds the engine.

    ``record`` must be called with each tick before the engine makes the next one: the state hashes are taken there.
    """

    def __init__(
        self,
        bus: Bus,
        engine: Engine,
        stream_engine: str,
        cadence: Cadence,
        end: JournalEnd,
        clock: Callable[[], int] = time.monotonic_ns,
        snapshots: Snapshotting | None = None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine: Final = engine
        self._cadence: Final = cadence
        self._clock: Final = clock
        self._snapshots: Final = snapshots
        self._may_write: Final = may_write
        self._fingerprint: Final = engine.started.index.fingerprint()
        self._chunks: Final[deque[_Chunk]] = deque()
        self._pending = 0
        self._first = engine.sequence
        # What has come since the last place where a batch ends for certain.
        self._open_ticks = 0
        self._open_bytes = 0
        self._marks: Final[deque[Mark]] = deque()
        self._ticks_since_hash = 0
        self._hashed_ns = clock()
        self._is_state_known = True
        self.pressure: Final = Pressure(lambda: self.is_behind)
        self.durable_sequence = engine.sequence - 1
        self.on_durable: Callable[[int], None] | None = None
        """Called with the last tick of each batch that is on disk; only now may anything leave that it explains."""
        self.writer: Final = JournalWriter(
            bus,
            subjects.audit(stream_engine),
            subjects.audit_stream(stream_engine),
            self,
            position=end.position,
            chain=end.chain,
            stored_point="engine.after_publish",
        )

    @property
    def pending(self) -> int:
        """Return how many ticks are not in a batch yet."""
        return self._pending

    @property
    def is_behind(self) -> bool:
        """Tell whether so many ticks wait that no more market data should be taken in."""
        return self._pending >= BEHIND_TICKS

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick. Raises ItemTooLarge for one that no batch can hold, and EncodeError."""
        encoded = tick_frame(tick_to_bytes(tick, event_bytes))
        if len(encoded) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"tick {tick.sequence}", len(encoded))
        if self._open_ticks and self._open_bytes + len(encoded) > BATCH_BYTES_MAX:
            self._begin_batch()
        if self._snapshots is not None:
            self._snapshots.note(tick)
        self._add(1, encoded)
        # The clock is asked now and then only: it costs as much as a good part of a tick.
        asks_clock = not self._ticks_since_hash % 16 or self._open_ticks <= 1
        if tick.is_terminal or self._is_hash_due(asks_clock=asks_clock):
            self._mark(tick)
        elif self._open_ticks >= TICKS_MAX:
            self._begin_batch()
        self.writer.wake()

    def run_room(self) -> int:
        """Return how many plain ticks may be recorded on end: up to where a batch ends or the state is hashed."""
        room = min(RUN_TICKS_MAX, TICKS_MAX - self._open_ticks)
        return min(room, self._cadence.ticks - self._ticks_since_hash) if self._cadence.ticks else room

    def record_run(
        self, ticks: list[AuditTick], encoded: list[bytes], begin: int, *, is_state_last: bool = True
    ) -> None:
        """Take the next ticks, plain ones of market events, not more than there is room for. Raises EncodeError.

        ``encoded[begin]`` are the first event's bytes, the others follow. The state is hashed at the last tick if that
        is due, unless ``is_state_last`` says that the engine is further already: then the next tick sees to it.
        """
        frames = market_ticks_frame(ticks, encoded, begin)
        if self._open_ticks and self._open_bytes + len(frames) > BATCH_BYTES_MAX:
            self._begin_batch()
        self._add(len(ticks), frames)
        if is_state_last:
            if self._is_hash_due(asks_clock=True):
                self._mark(ticks[-1])
            elif self._open_ticks >= TICKS_MAX:
                self._begin_batch()
        self.writer.wake()

    def lose_state(self) -> None:
        """Take note that the engine failed: its state is not the one after the last tick, and is hashed no more."""
        self._is_state_known = False

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch: as many waiting ticks as fit, up to the next hash."""
        if not self._chunks or not self._may_write():
            return None
        taken: list[bytes] = []
        size = 0
        state_hash: StateHash | None = None
        sequence = self._first - 1
        count = 0
        while self._chunks and count + self._chunks[0].ticks <= TICKS_MAX:
            if taken and size + len(self._chunks[0].frames) > BATCH_BYTES_MAX:
                break
            chunk = self._chunks.popleft()
            size += len(chunk.frames)
            taken.append(chunk.frames)
            count += chunk.ticks
            sequence += chunk.ticks
            if self._marks and self._marks[0].sequence == sequence:
                state_hash = self._marks.popleft().hash
                break
        self._pending -= count
        if not self._chunks:
            self._begin_batch()
            if state_hash is None and self._cadence.ticks == HASH_EVERY_BATCH and self._is_state_known:
                # Everything that was processed is in this batch, so the state is the one after its last tick.
                state_hash = self._hash()
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
        crash_point("engine.before_publish")
        self._first = sequence + 1
        self.pressure.eased()
        return batch

    def durable(self, batch: SealedBatch, sequence: int) -> None:
        """Take note that a batch is on disk."""
        self.durable_sequence = batch.last
        if self._snapshots is not None:
            self._snapshots.durable(batch.last, sequence, batch.chain)
        crash_point("engine.after_acknowledgement")
        if self.on_durable is not None:
            self.on_durable(batch.last)

    def _add(self, ticks: int, frames: bytes) -> None:
        self._chunks.append(_Chunk(ticks, frames))
        self._pending += ticks
        self._open_ticks += ticks
        self._open_bytes += len(frames)
        self._ticks_since_hash += ticks

    def _mark(self, tick: AuditTick) -> None:
        """Hash the state, which is the one after ``tick``, and let a batch end there."""
        mark = Mark(tick.sequence, self._hash())
        self._marks.append(mark)
        self._begin_batch()
        if self._snapshots is not None and (tick.is_terminal or self._snapshots.is_due()):
            self._snapshots.take(tick, mark.hash)

    def _is_hash_due(self, *, asks_clock: bool) -> bool:
        if self._cadence.ticks == HASH_EVERY_BATCH:
            is_full = self._open_ticks >= TICKS_MAX or self._open_bytes >= SEAL_BYTES
            return is_full or (self._snapshots is not None and self._snapshots.is_due())
        if self._ticks_since_hash >= self._cadence.ticks:
            return True
        return asks_clock and self._clock() - self._hashed_ns >= self._cadence.time_ns

    def _begin_batch(self) -> None:
        self._open_ticks = 0
        self._open_bytes = 0

    def _hash(self) -> StateHash:
        self._ticks_since_hash = 0
        self._hashed_ns = self._clock()
        return self._engine.hash()
