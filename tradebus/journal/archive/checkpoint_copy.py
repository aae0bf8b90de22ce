"""A checkpoint as one value that travels: for who has neither the volume it lies on nor the journal behind it.

The two files of a checkpoint, the state and what belongs to it, as they are; each proves itself by its own hash.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory
from tradebus.journal.archive.checkpoints import CheckpointDamaged, CheckpointHead, Checkpoints
from tradebus.wire.codec.snapshot import EngineSnapshot

_MAGIC: Final = b"tradebus-checkpoint-1\n"
_FRONT: Final = struct.Struct("<QI")


class CopyUnreadable(Exception):
    """What was kept is not a copy of a checkpoint that was written, or that this version cannot take."""


@dataclass(frozen=True, slots=True)
class CheckpointCopy:
    """A checkpoint that was read from its copy, its state proven."""

    head: CheckpointHead
    snapshot: EngineSnapshot


def copied(checkpoints: Checkpoints, sequence: int) -> bytes:
    """Return the copy of a checkpoint with its extras. Raises OSError."""
    state, extras = checkpoints.path(sequence), checkpoints.extras_path(sequence)
    content = state.read_bytes()
    return _MAGIC + _FRONT.pack(sequence, len(content)) + content + extras.read_bytes()


def restore_copy(kept: bytes, checkpoints: Checkpoints) -> int:
    """Put a copy where checkpoints lie and return its tick; it still has to be read. Raises CopyUnreadable, OSError."""
    if not kept.startswith(_MAGIC) or len(kept) < len(_MAGIC) + _FRONT.size:
        raise CopyUnreadable(f"expected {_MAGIC!r} at its beginning, found {kept[: len(_MAGIC)]!r}")
    sequence, size = _FRONT.unpack_from(kept, len(_MAGIC))
    begin = len(_MAGIC) + _FRONT.size
    content, extras = kept[begin : begin + size], kept[begin + size :]
    checkpoints.keep(sequence, content, extras)
    return int(sequence)


def read_copy(kept: bytes, make_data: StrategyDataFactory, make_user_data: UserDataFactory) -> CheckpointCopy:
    """Return the checkpoint in a copy. Raises CopyUnreadable, OSError."""
    with TemporaryDirectory(prefix="tradebus-copy-") as folder:
        checkpoints = Checkpoints(Path(folder))
        try:
            return CheckpointCopy(*checkpoints.read(restore_copy(kept, checkpoints), make_data, make_user_data))
        except CheckpointDamaged as error:
            raise CopyUnreadable(error.damage.reason) from error
