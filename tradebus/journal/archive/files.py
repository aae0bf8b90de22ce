"""The files of an archive in its folder."""

from pathlib import Path
from typing import Final

from tradebus.journal.archive.layout import SEGMENT_SUFFIX, first_position_of

SEGMENTS: Final = "segments"
CHECKPOINTS: Final = "checkpoints"
LOCK: Final = "lock"


def segment_files(folder: Path) -> list[Path]:
    """Return the segment files of an archive in order, none where there is no archive. Raises ValueError, OSError.

    A file of another name than ours is refused: it would be left out without a word.
    """
    found = (folder / SEGMENTS).glob(f"*{SEGMENT_SUFFIX}")
    return sorted(found, key=lambda path: first_position_of(path.name))
