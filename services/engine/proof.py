"""Prove a snapshot by what followed it: loaded and replayed, it must give the next state hash that was recorded."""

from dataclasses import dataclass
from typing import Final, Protocol, final

from structlog.stdlib import BoundLogger

from services.engine.recovery import CannotRecover, Recovery
from services.engine.snapshot_store import SnapshotRefused, SnapshotStore
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.journal.verify import JournalDamaged


class SnapshotUnproven(Exception):
    """Nothing could be said of a snapshot: the proof was interrupted, or there was nothing to compare with."""


class SnapshotRefuted(Exception):
    """A snapshot and the journal behind it do not give the state that was recorded; the message says where."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A snapshot was proven by the hash after tick ``sequence``, ``ticks`` behind it."""

    sequence: int
    ticks: int


class Prover(Protocol):
    """Proves snapshots, however long that takes."""

    async def prove(self, head: CheckpointHead) -> Proven:
        """Return when a snapshot is proven. Raises SnapshotRefuted, SnapshotUnproven."""


@final
class SnapshotProof:
    """The proof of one snapshot. Plain and synchronous.

    Raises SnapshotRefuted for a snapshot that cannot be read, SnapshotUnproven for one that was dropped meanwhile, and
    for one of other code than runs here, which may see the journal otherwise.
    """

    def __init__(self, store: SnapshotStore, stream: str, sequence: int, code: str, log: BoundLogger) -> None:
        try:
            stored = store.read(sequence)
        except SnapshotRefused as error:
            if not store.path(sequence).exists():
                # Newer ones have taken its place while this process was being started.
                raise SnapshotUnproven(f"the snapshot at {sequence} is not kept any more") from error
            raise SnapshotRefuted(str(error)) from error
        if stored.snapshot.head.code != code:
            raise SnapshotUnproven(f"expected a snapshot of code {code!r}, found one of {stored.snapshot.head.code!r}")
        self._recovery: Final = Recovery(stream, code, log, stored)

    def take(self, message: JournalMessage) -> Proven | None:
        """Take the next message behind the snapshot; return the proof once there is one. Raises SnapshotRefuted."""
        try:
            self._recovery.take(message)
        except (CannotRecover, JournalDamaged) as error:
            raise SnapshotRefuted(str(error)) from error
        if not self._recovery.hashes:
            return None
        return Proven(self._recovery.sequence, self._recovery.ticks)
