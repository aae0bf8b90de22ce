"""Checkpoints beside an archive: the state at some ticks, so that no other costs more than a part of the journal.

A checkpoint is one file, named after its last tick: what it says of itself, then the snapshot of the state, compressed.
Its own hash proves the bytes, the state hash in the snapshot the state. Beside it may lie *extras*: what a service
keeps that is not state, opaque here, proven the same way; and *rows*, the part of that which is long and which few
checkpoints need. Checkpoints can be lost without losing anything but time.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, final

from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.journal.archive.damage import Damage
from tradebus.journal.archive.durable import replace_file, sync_folder
from tradebus.journal.archive.files import CHECKPOINTS
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.snapshot import EngineSnapshot, snapshot_from_bytes, snapshot_head_from_bytes

CHECKPOINT_MAGIC: Final = b"TBCKP1\r\n"
EXTRAS_MAGIC: Final = b"TBCKX1\r\n"
CHECKPOINT_SUFFIX: Final = ".ckp"
EXTRAS_SUFFIX: Final = ".ckx"
ROWS_SUFFIX: Final = ".ckr"
ASIDE_SUFFIX: Final = ".refuted"
SEQUENCE_DIGITS: Final = 20

_LEVEL: Final = 3
_HASH_BYTES: Final = 16
_SIZE: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class CheckpointHead:
    """Where in a journal a checkpoint stands: the last batch in it and that batch's chain hash, and its last tick.

    ``stored_ns`` is when the stream stored that batch, by the server's clock.
    """

    stream: str
    position: int
    chain: str
    sequence: int
    time_ns: int
    stored_ns: int
    engine_id: str
    engine_epoch: int


class CheckpointDamaged(Exception):
    """A checkpoint that is not what was written, or that this version cannot take; ``damage`` says where and why."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(str(damage))
        self.damage: Final = damage


@final
class Checkpoints:
    """The checkpoints of an archive's folder. Plain and synchronous."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder / CHECKPOINTS

    def sequences(self) -> list[int]:
        """Return the last ticks of all checkpoints, the oldest first. Raises OSError."""
        return sorted(int(path.stem) for path in self._folder.glob(f"*{CHECKPOINT_SUFFIX}") if path.stem.isdecimal())

    def path(self, sequence: int) -> Path:
        """Return where the checkpoint at a tick lies."""
        return self._folder / f"{sequence:0{SEQUENCE_DIGITS}d}{CHECKPOINT_SUFFIX}"

    def extras_path(self, sequence: int) -> Path:
        """Return where the extras of the checkpoint at a tick lie."""
        return self.path(sequence).with_suffix(EXTRAS_SUFFIX)

    def rows_path(self, sequence: int) -> Path:
        """Return where the rows of the checkpoint at a tick lie."""
        return self.path(sequence).with_suffix(ROWS_SUFFIX)

    def write(
        self, head: CheckpointHead, snapshot: bytes, extras: bytes | None = None, rows: bytes | None = None
    ) -> None:
        """Write a checkpoint, whole or not at all. What lies beside it comes first: it is never without its own.

        Raises OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if rows is not None:
            replace_file(self.rows_path(head.sequence), _sealed(EXTRAS_MAGIC, {}, rows))
        if extras is not None:
            replace_file(self.extras_path(head.sequence), _sealed(EXTRAS_MAGIC, {}, extras))
        replace_file(self.path(head.sequence), _sealed(CHECKPOINT_MAGIC, asdict(head), snapshot))

    def head(self, sequence: int) -> CheckpointHead:
        """Return where a checkpoint stands, its bytes proven. Raises CheckpointDamaged."""
        return self._read(sequence)[0]

    def read(
        self, sequence: int, make_data: StrategyDataFactory, make_user_data: UserDataFactory = no_user_data
    ) -> tuple[CheckpointHead, EngineSnapshot]:
        """Return a checkpoint, its state proven by the hash in it. Raises CheckpointDamaged."""
        head, content = self._read(sequence)
        try:
            snapshot = snapshot_from_bytes(content, make_data, make_user_data)
        except DecodeError as error:
            raise self._damaged(self.path(sequence), len(content), str(error)) from error
        return head, snapshot

    def extras(self, sequence: int) -> bytes | None:
        """Return the extras of a checkpoint, none where there are none. Raises CheckpointDamaged."""
        return self._beside(self.extras_path(sequence))

    def rows(self, sequence: int) -> bytes | None:
        """Return the rows of a checkpoint, none where there are none. Raises CheckpointDamaged."""
        return self._beside(self.rows_path(sequence))

    def drop(self, sequence: int) -> None:
        """Remove a checkpoint with what lies beside it. Raises OSError."""
        self.path(sequence).unlink(missing_ok=True)
        self.extras_path(sequence).unlink(missing_ok=True)
        self.drop_rows(sequence)

    def keep(self, sequence: int, content: bytes, extras: bytes) -> None:
        """Keep files as they were written elsewhere, whole or not at all. What they hold shows when they are read.

        Raises OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.extras_path(sequence), extras)
        replace_file(self.path(sequence), content)

    def put_aside(self, sequence: int) -> Path:
        """Take a checkpoint out of use and return where it lies now, with its extras beside it. Raises OSError."""
        aside = self.path(sequence).with_suffix(CHECKPOINT_SUFFIX + ASIDE_SUFFIX)
        self.path(sequence).replace(aside)
        if self.extras_path(sequence).exists():
            self.extras_path(sequence).replace(self.extras_path(sequence).with_suffix(EXTRAS_SUFFIX + ASIDE_SUFFIX))
        sync_folder(self._folder)
        return aside

    def drop_rows(self, sequence: int) -> None:
        """Remove the rows of a checkpoint. Raises OSError."""
        self.rows_path(sequence).unlink(missing_ok=True)
        sync_folder(self._folder)

    def damages(self) -> list[Damage]:
        """Return what is wrong with each checkpoint and what lies beside it; states are not rebuilt."""
        found: list[Damage] = []
        for sequence in self.sequences():
            try:
                self._read(sequence)
            except CheckpointDamaged as error:
                found.append(error.damage)
            for beside in (self.extras, self.rows):
                try:
                    beside(sequence)
                except CheckpointDamaged as error:
                    found.append(error.damage)
        return found

    # ------------------------------------------------------------------------------ inside

    def _read(self, sequence: int) -> tuple[CheckpointHead, bytes]:
        path = self.path(sequence)
        try:
            values, content = self._opened(path, CHECKPOINT_MAGIC)
        except FileNotFoundError as error:
            raise self._damaged(path, 0, "there is no such checkpoint") from error
        head = CheckpointHead(**values)
        try:
            said = snapshot_head_from_bytes(content).sequence
        except DecodeError as error:
            raise self._damaged(path, len(content), str(error)) from error
        if not sequence == head.sequence == said:
            reason = f"expected a checkpoint at tick {sequence}, found one of {head.sequence} with a state of {said}"
            raise self._damaged(path, len(content), reason)
        return head, content

    def _beside(self, path: Path) -> bytes | None:
        try:
            return self._opened(path, EXTRAS_MAGIC)[1]
        except FileNotFoundError:
            return None

    def _opened(self, path: Path, magic: bytes) -> tuple[dict[str, Any], bytes]:
        found = path.read_bytes()
        body, proof = found[:-_HASH_BYTES], found[-_HASH_BYTES:]
        if body[: len(magic)] != magic:
            raise self._damaged(path, len(found), f"expected {magic[:6].decode()}, found {found[:6].hex()}")
        if hashlib.blake2b(body, digest_size=_HASH_BYTES).digest() != proof:
            raise self._damaged(path, len(found), "the file does not have its hash")
        at = len(magic) + _SIZE.size
        (size,) = _SIZE.unpack_from(body, len(magic))
        values: dict[str, Any] = json.loads(body[at : at + size])
        return values, zlib.decompress(body[at + size :])

    def _damaged(self, path: Path, size: int, reason: str) -> CheckpointDamaged:
        return CheckpointDamaged(Damage(path, 0, size, reason))


def _sealed(magic: bytes, values: dict[str, int | str], content: bytes) -> bytes:
    text = json.dumps(values).encode()
    body = magic + _SIZE.pack(len(text)) + text + zlib.compress(content, _LEVEL)
    return body + hashlib.blake2b(body, digest_size=_HASH_BYTES).digest()
