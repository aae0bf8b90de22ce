"""Take snapshots where a batch of the journal ends, and write them when that batch is on disk.

What is encoded is the state at that tick; what is slow, compressing, syncing and reading back, happens in a thread.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.engine.snapshot_store import SnapshotNotes, SnapshotRefused, SnapshotStore, StoredSnapshot
from services.engine.switched_off import SwitchedOff
from services.runtime import Runtime
from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus
from tradebus.config.sections.engine import SnapshotSettings
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.journal.positions import JournalMark, fingerprint_of, publish_positions
from tradebus.wire import subjects
from tradebus.wire.codec.error import EncodeError
from tradebus.wire.codec.snapshot import EngineSnapshot, SnapshotHead, snapshot_to_bytes

TROUBLE: Final = "snapshot"
STOP_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Taken:
    sequence: int
    time_ns: int
    payload: bytes
    notes: SnapshotNotes
    commands: int


@final
class Snapshotting:
    """The snapshots of a running engine. ``clock`` gives monotonic seconds.

    A snapshot that cannot be kept is told by health; the engine goes on, and recovery has more to replay.
    """

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        engine: Engine,
        store: SnapshotStore,
        settings: SnapshotSettings,
        first_tick: int,
        switched_off: SwitchedOff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._engine: Final = engine
        self._store: Final = store
        self._settings: Final = settings
        self._first_tick: Final = first_tick
        self._switched_off: Final = switched_off
        self._clock: Final = clock
        self._taken_s = clock()
        self._taken_sequence = engine.sequence - 1
        self._pending: _Taken | None = None
        self._writing: asyncio.Task[None] | None = None
        self.sequence: int | None = None
        """The last tick in the newest snapshot that was written and read back."""
        self.encode_ns = 0
        """What taking the last one cost the engine."""

    def note(self, tick: AuditTick) -> None:
        """Take in the next tick, before a snapshot is taken at it."""
        self._switched_off.take(tick)

    def is_due(self) -> bool:
        """Tell whether another snapshot should be taken at the next end of a batch."""
        if self._pending is not None or self._is_writing:
            return False
        ticks = self._engine.sequence - 1 - self._taken_sequence
        return ticks > 0 and (ticks >= self._settings.ticks or self._clock() - self._taken_s >= self._settings.seconds)

    def take(self, tick: AuditTick, state_hash: StateHash) -> None:
        """Take a snapshot of the state, which is the one after ``tick``, the last of its batch."""
        engine = self._engine
        begun_ns = time.perf_counter_ns()
        head = SnapshotHead(
            engine.started.code,
            "",
            engine.state.index.fingerprint(),
            engine.started.engine_id,
            engine.epoch,
            tick.sequence,
            tick.time_ns,
            state_hash,
        )
        self._taken_s = self._clock()
        self._taken_sequence = tick.sequence
        try:
            payload = snapshot_to_bytes(EngineSnapshot(head, engine.started, engine.state))
        except EncodeError as error:
            self._runtime.health.trouble(TROUBLE, f"the state cannot be written as a snapshot: {error}")
            return
        notes = SnapshotNotes(self._first_tick, self._switched_off.by)
        self._pending = _Taken(tick.sequence, tick.time_ns, payload, notes, engine.state.commands.position)
        self.encode_ns = time.perf_counter_ns() - begun_ns

    def durable(self, last_sequence: int, position: int, chain: str) -> None:
        """Take note that a batch is on disk; the snapshot at its end is now one of what is in the journal."""
        taken = self._pending
        if taken is None or last_sequence < taken.sequence:
            return
        self._pending = None
        if last_sequence != taken.sequence:
            return  # its batch went on behind it: nothing could begin there
        head = CheckpointHead(
            subjects.audit_stream(self._runtime.settings.journal_id),
            position,
            chain,
            taken.sequence,
            taken.time_ns,
            taken.time_ns,
            self._engine.started.engine_id,
            self._engine.epoch,
        )
        self._writing = self._runtime.spawn(self._write(head, taken), "snapshot")

    async def finish(self) -> None:
        """Wait until the last snapshot is written, or for as long as there is time."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=STOP_TIMEOUT_S)

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    async def _write(self, head: CheckpointHead, taken: _Taken) -> None:
        try:
            stored = await asyncio.to_thread(self._store.write, head, taken.payload, taken.notes)
        except (OSError, SnapshotRefused) as error:
            self._runtime.health.trouble(TROUBLE, f"the snapshot at {head.sequence} cannot be kept: {error}")
            return
        self._runtime.health.clear(TROUBLE)
        self.sequence = head.sequence
        self._runtime.log.info("snapshot written", sequence=head.sequence, bytes=len(taken.payload))
        try:
            await self._announce(stored, taken.commands)
        except BusError as error:
            # The next one says more; until then the streams keep more than they need to.
            self._runtime.log.warning("snapshot not announced", sequence=head.sequence, reason=str(error))

    async def _announce(self, stored: StoredSnapshot, commands: int) -> None:
        """Say which journals nobody needs for this engine any more."""
        settings, head = self._runtime.settings, stored.head
        marks = [JournalMark(head.stream, head.position, head.chain, head.sequence + 1)]
        stream = subjects.cmd_stream(settings.journal_id)
        message = await self._bus.message(stream, commands) if commands else None
        if message is not None:
            marks.append(JournalMark(stream, commands, fingerprint_of(message), commands + 1))
        reader = subjects.engine_reader(settings.journal_id)
        await publish_positions(self._bus, reader, self._runtime.instance, tuple(marks))
