"""Tell what became of every line of the recordings."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, final

from services.market.venues.tally import FrameTally

BAD_LINES_LISTED_MAX: Final = 100


class BadLine(NamedTuple):
    """A line that should have given an event, or been skipped, and could not be read. Lines count from 1."""

    file: str
    line: int
    kind: str
    """``no_time``, ``too_long``, or the kind of the frame's error (``malformed``, ``unidentifiable``)."""
    reason: str


class DamagedFile(NamedTuple):
    """A file that could not be read to its end."""

    file: str
    lines: int
    """How many of its lines were read."""
    reason: str


@final
class RecordingReport:
    """Counts of a reading, complete once the reader is exhausted; until then as far as it has read."""

    def __init__(self, tally: FrameTally) -> None:
        self._tally: Final = tally
        self.events = 0
        """Market events given so far: also the sequence of the last."""
        self.lines = 0
        """Lines read, good and bad."""
        self.steps_back = 0
        """Lines received before the line above them, by the recorder's clock."""
        self.bad: Final[dict[str, int]] = {}
        """Bad lines, by kind."""
        self.bad_lines: Final[list[BadLine]] = []
        """The first bad lines in the order they were met, at most 100."""
        self.damaged_files: Final[list[DamagedFile]] = []

    @property
    def skipped(self) -> dict[str, int]:
        """Frames that are not trades or best prices, by kind (``depth``), unknown kinds included; sorted."""
        counts = dict(self._tally.skipped)
        for kind, count in self._tally.unknown.items():
            counts[kind] = counts.get(kind, 0) + count
        return dict(sorted(counts.items()))

    @property
    def unknown(self) -> dict[str, int]:
        """Of the skipped frames those of kinds that the translator does not know; sorted."""
        return dict(sorted(self._tally.unknown.items()))

    @property
    def bad_lines_total(self) -> int:
        """Return how many lines could not be read."""
        return sum(self.bad.values())

    @property
    def is_clean(self) -> bool:
        """Whether every line was read and every file came to its end."""
        return not self.bad and not self.damaged_files

    def add_bad_line(self, line: BadLine) -> None:
        """Count a bad line, and list it if there is room."""
        self.bad[line.kind] = self.bad.get(line.kind, 0) + 1
        if len(self.bad_lines) < BAD_LINES_LISTED_MAX:
            self.bad_lines.append(line)

    def as_data(self) -> Mapping[str, Any]:
        """Return the report as plain data, for ``/status`` and the summary of a replay."""
        return {
            "events": self.events,
            "lines": self.lines,
            "skipped": self.skipped,
            "bad_lines": self.bad_lines_total,
            "bad": dict(sorted(self.bad.items())),
            "bad_lines_first": [
                {"file": bad.file, "line": bad.line, "kind": bad.kind, "reason": bad.reason} for bad in self.bad_lines
            ],
            "damaged_files": [
                {"file": damaged.file, "lines": damaged.lines, "reason": damaged.reason}
                for damaged in self.damaged_files
            ],
            "clock_steps_back": self.steps_back,
            "is_clean": self.is_clean,
        }
