"""Name a damaged place of an archive: file, bytes, and the batches and ticks that cannot be had from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Damage:
    """A place that is not what was written.

    ``offset`` and ``length`` are bytes of the file. ``first_position`` to ``last_position`` are the stream sequences of
    the batches that should be there, 0 where that cannot be said; ``next_sequence`` is the first tick that is missing,
    -1 where that cannot be said.
    """

    path: Path
    offset: int
    length: int
    reason: str
    first_position: int = 0
    last_position: int = 0
    next_sequence: int = -1

    def __str__(self) -> str:
        """Show it as one line."""
        where = f"{self.path.name}, bytes {self.offset} to {self.offset + self.length}"
        if self.first_position and self.last_position:
            where += f", batches {self.first_position} to {self.last_position}"
        elif self.first_position:
            where += f", from batch {self.first_position} on"
        if self.next_sequence >= 0:
            where += f", from tick {self.next_sequence} on"
        return f"{where}: {self.reason}"


class ArchiveDamaged(Exception):
    """What was asked for lies in a damaged place, or nowhere; ``damage`` says where."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(str(damage))
        self.damage: Final = damage


class ArchiveError(Exception):
    """The archive cannot be used as it was meant to: another stream's, in use, or not following on."""
