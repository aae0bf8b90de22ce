"""Count what came of a venue's frames, by kind, and say each new kind of oddity once.

Nothing that a venue sends is dropped without a count: a frame gave events, was skipped on purpose (a kind that is known
and not translated), is of an unknown kind, or was an error.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from services.market.venues.errors import FrameError, excerpt

UNKNOWN_KINDS_MAX: Final = 64
"""Distinct unknown kinds counted by name; a venue that sends more than that gets the rest in one sum."""
UNKNOWN_REST: Final = "(other)"
KIND_LENGTH_MAX: Final = 40


class UnknownKind(NamedTuple):
    """The first frame of an unknown kind: what to log, once."""

    kind: str
    payload: bytes

    @property
    def excerpt(self) -> str:
        """The beginning of the frame as printable text."""
        return excerpt(self.payload)


class FrameTally:
    """Counts of one feed since it started, across its connections and reconnections."""

    def __init__(self) -> None:
        self.events: dict[str, int] = {}
        """Events made, by kind of data (``trade``, ``l1``)."""
        self.skipped: dict[str, int] = {}
        """Frames known and not translated, by kind (``depth``)."""
        self.unknown: dict[str, int] = {}
        """Frames of kinds we do not know, by kind."""
        self.failed: dict[str, int] = {}
        """Frames that raised, by the error's kind (``malformed``)."""
        self._unreported: list[UnknownKind] = []

    @property
    def frames(self) -> int:
        """All frames counted. A frame gives at most one event at the venues that count here."""
        counts = (self.events, self.skipped, self.unknown, self.failed)
        return sum(sum(by_kind.values()) for by_kind in counts)

    @property
    def has_news(self) -> bool:
        """Whether a kind was met for the first time and not yet taken by `take_new_kinds`."""
        return bool(self._unreported)

    def count_skipped(self, kind: str) -> None:
        """Count a frame that is known and not translated."""
        self.skipped[kind] = self.skipped.get(kind, 0) + 1

    def count_unknown(self, kind: str, payload: bytes) -> None:
        """Count a frame of an unknown kind, and remember it for reporting if it is the first."""
        kind = kind[:KIND_LENGTH_MAX]
        if kind not in self.unknown and len(self.unknown) >= UNKNOWN_KINDS_MAX:
            kind = UNKNOWN_REST
        if kind not in self.unknown:
            self._unreported.append(UnknownKind(kind, payload))
        self.unknown[kind] = self.unknown.get(kind, 0) + 1

    def count_failed(self, error: FrameError) -> None:
        """Count a frame that could not be translated."""
        self.failed[error.KIND] = self.failed.get(error.KIND, 0) + 1

    def take_new_kinds(self) -> list[UnknownKind]:
        """Return the kinds met for the first time since the last call: to be logged, each once."""
        taken, self._unreported = self._unreported, []
        return taken
