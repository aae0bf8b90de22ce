"""Take snapshots where a batch of the journal ends, and write them when that batch is on disk.

What is encoded is the state at that tick; what is slow, compressing, syncing and reading back, happens in a thread.
Then it is proven: loaded and replayed to a later hash, beside the engine. Only of a snapshot that was proven the bucket
``positions`` is told, because what lies behind it in the journals may be dropped then.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, final

from services.engine.account_place import AccountPlace
from services.engine.proof import Prover, SnapshotRefuted, SnapshotUnproven
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
from tradebus.journal.positions import (
    JournalMark,
    PositionsUnreadable,
    fingerprint_of,
    publish_positions,
    read_positions,
)
from tradebus.wire import subjects
from tradebus.wire.codec.error import EncodeError
from tradebus.wire.codec.snapshot import EngineSnapshot, SnapshotHead, snapshot_to_bytes

TROUBLE: Final = "snapshot"
TROUBLE_REFUTED: Final = "snapshot refuted"
STOP_TIMEOUT_S: Final = 3.0
PROOF_PERIOD_S: Final = 10.0
"""A proof takes about a second of a core: not every snapshot is worth one where they are taken often."""


@dataclass(frozen=True, slots=True)
class _Taken:
    sequence: int
    time_ns: int
    payload: bytes
    notes: SnapshotNotes


class Inputs(Protocol):
    """What feeds the engine out of journals."""

    def accounts(self) -> tuple[AccountPlace, ...]:
        """Return how far the accounts' journals were handed to the engine."""

    def commands(self) -> int:
        """Return the last message of the stream of commands with which the engine is done."""


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
        *,
        prover: Prover | None = None,
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
        self._prover: Final = prover
        self._proving: asyncio.Task[None] | None = None
        self._proof_begun_s: float | None = None
        self.inputs: Inputs | None = None
        """Where the inputs stand; none while nothing feeds the engine."""
        self.sequence: int | None = None
        """The last tick in the newest snapshot that was written and read back."""
        self.proven_sequence: int | None = None
        """The last tick in the newest snapshot that was proven by what followed it."""
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
        inputs = self.inputs
        notes = SnapshotNotes(
            self._first_tick,
            self._switched_off.by,
            engine.state.commands.position if inputs is None else inputs.commands(),
            () if inputs is None else inputs.accounts(),
        )
        self._pending = _Taken(tick.sequence, tick.time_ns, payload, notes)
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
        """Wait until the last snapshot is written, or for as long as there is time; nothing more is proven."""
        if self._proving is not None:
            self._proving.cancel()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=STOP_TIMEOUT_S)

    def was_proven(self, stored: StoredSnapshot) -> None:
        """Take note of a snapshot that recovery has replayed from, to a hash that was recorded later."""
        self._store.prove(stored.head.sequence)
        self._runtime.spawn(self._announce_unless_behind(stored), "snapshot announced")

    @property
    def _is_writing(self) -> bool:
        return self._writing is not None and not self._writing.done()

    async def _write(self, head: CheckpointHead, taken: _Taken) -> None:
        try:
            await asyncio.to_thread(self._store.write, head, taken.payload, taken.notes)
        except (OSError, SnapshotRefused) as error:
            self._runtime.health.trouble(TROUBLE, f"the snapshot at {head.sequence} cannot be kept: {error}")
            return
        self._runtime.health.clear(TROUBLE)
        self.sequence = head.sequence
        self._runtime.log.info("snapshot written", sequence=head.sequence, bytes=len(taken.payload))
        if self._prover is not None and self._may_prove():
            self._proof_begun_s = self._clock()
            self._store.begin_proof(head.sequence)
            self._proving = self._runtime.spawn(self._prove(self._prover, head, taken.notes), "proof of a snapshot")

    def _may_prove(self) -> bool:
        """Tell whether it is time for another proof; there is one at a time, and the next snapshot says more."""
        if self._runtime.stopping.is_set() or (self._proving is not None and not self._proving.done()):
            return False
        return self._proof_begun_s is None or self._clock() - self._proof_begun_s >= PROOF_PERIOD_S

    async def _prove(self, prover: Prover, head: CheckpointHead, notes: SnapshotNotes) -> None:
        try:
            proof = await prover.prove(head)
        except SnapshotUnproven as error:
            # The next one says more; until then the streams keep more than they need to.
            self._runtime.log.warning("snapshot not proven", sequence=head.sequence, reason=str(error))
        except SnapshotRefuted as error:
            await self._refute(head, error)
        else:
            self._store.prove(head.sequence)
            self._runtime.health.clear(TROUBLE_REFUTED)
            self._runtime.log.info("snapshot proven", sequence=head.sequence, until=proof.sequence)
            await self._announce(head, notes)

    async def _refute(self, head: CheckpointHead, error: SnapshotRefuted) -> None:
        """Tell of a snapshot that does not give what was recorded, and never begin with it."""
        reason = f"the snapshot at {head.sequence} does not lead to the state that was recorded: {error}"
        try:
            aside = await asyncio.to_thread(self._store.refute, head.sequence)
        except OSError as failed:
            reason += f"; it cannot be put aside: {failed}"
        else:
            reason += f"; it is put aside as {aside}"
        self._runtime.log.error("snapshot refuted", sequence=head.sequence, reason=reason)
        self._runtime.health.trouble(TROUBLE_REFUTED, reason)

    async def _announce_unless_behind(self, stored: StoredSnapshot) -> None:
        """Announce a snapshot unless a later one was: by the leader before us, whose snapshots we do not have."""
        reader = subjects.engine_reader(self._runtime.settings.journal_id)
        try:
            before = await read_positions(self._bus, reader)
        except (BusError, PositionsUnreadable) as error:
            self._runtime.log.warning("snapshot not announced", sequence=stored.head.sequence, reason=str(error))
            return
        mark = None if before is None else before.mark(stored.head.stream)
        if mark is None or mark.position < stored.head.position:
            await self._announce(stored.head, stored.notes)

    async def _announce(self, head: CheckpointHead, notes: SnapshotNotes) -> None:
        """Say which journals nobody needs for this engine any more."""
        settings = self._runtime.settings
        marks = [JournalMark(head.stream, head.position, head.chain, head.sequence + 1)]
        marks += [
            JournalMark(subjects.acct_stream(place.account), place.position, place.chain, place.next_entry)
            for place in notes.accounts
        ]
        stream = subjects.cmd_stream(settings.journal_id)
        # First: what the positions give up may be all that somebody without our volume could begin with.
        await self._hand_out(head)
        try:
            message = await self._bus.message(stream, notes.commands) if notes.commands else None
            if message is not None:
                marks.append(JournalMark(stream, notes.commands, fingerprint_of(message), notes.commands + 1))
            reader = subjects.engine_reader(settings.journal_id)
            await publish_positions(self._bus, reader, self._runtime.instance, tuple(marks))
        except BusError as error:
            # The next one says more; until then the streams keep more than they need to.
            self._runtime.log.warning("snapshot not announced", sequence=head.sequence, reason=str(error))
            return
        self.proven_sequence = head.sequence

    async def _hand_out(self, head: CheckpointHead) -> None:
        """Put a copy where others find it, who have neither our volume nor what was pruned of the journal."""
        try:
            kept = await asyncio.to_thread(self._store.copied, head.sequence)
            await self._bus.bucket(subjects.SNAPSHOTS).put(
                subjects.engine_snapshot(self._runtime.settings.journal_id), kept
            )
        except (OSError, BusError) as error:
            # Whoever needs it finds the one before, or what is left of the journal.
            self._runtime.log.warning("snapshot not handed out", sequence=head.sequence, reason=str(error))
