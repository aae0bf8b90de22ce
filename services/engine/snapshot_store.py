"""Keep the engine's newest snapshots on its own volume, and find the one to begin with."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self, final

from services.engine.account_place import AccountPlace
from tradebus.journal.archive.checkpoint_copy import copied, restore_copy
from tradebus.journal.archive.checkpoints import CheckpointDamaged, CheckpointHead, Checkpoints
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire.codec.snapshot import EngineSnapshot


@dataclass(frozen=True, slots=True)
class SnapshotNotes:
    """What going on needs besides the state.

    ``first_tick`` is that of the last fresh start, ``switched_off_by`` who switched trading off (see ``SwitchedOff``).
    ``commands`` is how far the stream of commands was read, ``accounts`` how far the accounts' journals were.
    """

    first_tick: int
    switched_off_by: str
    commands: int = 0
    accounts: tuple[AccountPlace, ...] = ()

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Return what was kept. Raises ValueError, TypeError."""
        data: dict[str, Any] = json.loads(text)
        accounts = tuple(AccountPlace(**each) for each in data.pop("accounts", ()))
        return cls(**data, accounts=accounts)


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot that was read and proven, and where in the journal it stands."""

    head: CheckpointHead
    snapshot: EngineSnapshot
    notes: SnapshotNotes


class SnapshotRefused(Exception):
    """A snapshot that cannot be begun with; the message names the file and says why."""


@final
class SnapshotStore:
    """The snapshots of one engine in a folder, ``kept`` of them. Plain and synchronous; one writer."""

    def __init__(self, folder: Path, stream: str, engine_id: str, kept: int) -> None:
        self._files: Final = Checkpoints(folder)
        self._stream: Final = stream
        self._engine_id: Final = engine_id
        self._kept: Final = kept
        self._proven: int | None = None
        self._in_proof: int | None = None

    def write(self, head: CheckpointHead, payload: bytes, notes: SnapshotNotes) -> StoredSnapshot:
        """Write a snapshot, fsynced, read it back, and drop the oldest beyond those that are kept.

        Raises OSError, and SnapshotRefused when what is read is not what was written.
        """
        self._files.write(head, payload, json.dumps(asdict(notes)).encode())
        stored = self.read(head.sequence)
        for sequence in self._files.sequences()[: -self._kept]:
            if sequence not in {self._proven, self._in_proof}:
                self._files.drop(sequence)
        return stored

    def begin_proof(self, sequence: int) -> None:
        """Keep a snapshot while it is proven, however many are written meanwhile."""
        self._in_proof = sequence

    def prove(self, sequence: int) -> None:
        """Take note that a snapshot was proven by what followed it: it stays until another one is."""
        self._proven = sequence

    def copied(self, sequence: int) -> bytes:
        """Return a snapshot as one value, for who does not have this volume. Raises OSError."""
        return copied(self._files, sequence)

    def restore(self, kept: bytes) -> int:
        """Keep a snapshot that was copied from another volume; return its tick. Raises CopyUnreadable, OSError."""
        return restore_copy(kept, self._files)

    def refute(self, sequence: int) -> Path:
        """Put a snapshot aside that does not lead to the state that was recorded; return where it lies now.

        Raises OSError.
        """
        return self._files.put_aside(sequence)

    def newest(self) -> CheckpointHead | None:
        """Return where the newest snapshot stands that is not damaged, none if there is none."""
        for sequence in reversed(self._files.sequences()):
            try:
                return self._files.head(sequence)
            except CheckpointDamaged:
                continue
        return None

    def has_one_behind(self, first: int) -> bool:
        """Tell whether a snapshot that is not damaged needs nothing of its stream before message ``first``."""
        newest = self.newest()
        return newest is not None and newest.position + 1 >= first

    def path(self, sequence: int) -> Path:
        """Return where the snapshot at a tick lies."""
        return self._files.path(sequence)

    def read(self, sequence: int) -> StoredSnapshot:
        """Return a snapshot, its bytes and its state proven. Raises SnapshotRefused."""
        path = self._files.path(sequence)
        try:
            head, snapshot = self._files.read(sequence, load_data, load_user_data)
            extras = self._files.extras(sequence)
            if extras is None:
                raise SnapshotRefused(f"{path}: the notes that belong to it are missing")
            notes = SnapshotNotes.of(extras)
        except (CheckpointDamaged, OSError) as error:
            raise SnapshotRefused(str(error)) from error
        except (ValueError, TypeError) as error:
            raise SnapshotRefused(f"{path}: the notes that belong to it cannot be read: {error}") from error
        if (head.stream, head.engine_id) != (self._stream, self._engine_id):
            expected, found = f"{self._engine_id!r} in {self._stream}", f"{head.engine_id!r} in {head.stream}"
            raise SnapshotRefused(f"{path}: expected a snapshot of engine {expected}, found one of {found}")
        return StoredSnapshot(head, snapshot, notes)

    def readable(self, refused: Callable[[str], None]) -> Iterator[StoredSnapshot]:
        """Yield the snapshots, the newest first; ``refused`` is told of each that cannot be begun with."""
        for sequence in reversed(self._files.sequences()):
            try:
                yield self.read(sequence)
            except SnapshotRefused as error:
                refused(str(error))
