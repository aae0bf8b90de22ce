"""Read an archive: any batch, tick or moment with little reading, and everything from there on in order."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.chunk import unpack
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError, Damage
from tradebus.journal.archive.files import segment_files
from tradebus.journal.archive.index import read_index
from tradebus.journal.archive.layout import CHUNK_HEAD_BYTES, NotReadable, SegmentHead, first_position_of
from tradebus.journal.archive.scan import Place, Scan, read_segment_head, scan_on, scan_segment

_KEPT: Final = 16
"""Of so many segments the list of chunks is kept in memory."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of batches and where it lies."""

    path: Path
    place: Place


@final
class Archive:
    """The archive in a folder, for reading, also while somebody else writes it.

    What the writer has not finished yet is not seen. ``stream`` and ``subject`` are those of the batches: as told, else
    as the first segment says. Raises ArchiveError where there is no archive, or one of another stream.
    """

    def __init__(self, folder: Path, stream: str = "", subject: str = "") -> None:
        self.folder: Final = folder
        self._growing: Scan | None = None
        self._places: dict[Path, list[Place]] = {}
        self._paths: list[Path] = []
        self.refresh()
        head = self._any_head()
        if stream and head is not None and head.stream != stream:
            raise ArchiveError(f"{folder}: expected the archive of {stream}, found that of {head.stream}")
        if not self._paths and not stream:
            raise ArchiveError(f"{folder}: expected an archive, found no segments")
        if head is None and not stream:
            raise ArchiveError(f"{folder}: no segment says of which stream it is; name the engine")
        self.stream: Final = stream or (head.stream if head else "")
        self.subject: Final = subject or (head.subject if head else "")

    @property
    def paths(self) -> list[Path]:
        """Return the segment files in order, as of the last ``refresh``."""
        return self._paths

    @property
    def first_position(self) -> int:
        """Return the stream sequence that the archive begins with, 0 for an empty one."""
        return first_position_of(self._paths[0].name) if self._paths else 0

    def refresh(self) -> None:
        """Take note of what was written since."""
        self._paths = segment_files(self.folder)

    def chunks(self, position: int = 0) -> Iterator[Chunk]:
        """Yield the chunks that hold batches from ``position`` on, in order.

        Raises ArchiveDamaged where something is missing between two of them.
        """
        paths = self._paths
        start = max(0, bisect_right([first_position_of(path.name) for path in paths], position) - 1)
        expected = 0
        for number in range(start, len(paths)):
            path = paths[number]
            for place in self.places(path):
                if place.head.last_position >= position:
                    if expected and place.head.first_position != expected:
                        raise ArchiveDamaged(self._missing(path, place, expected))
                    yield Chunk(path, place)
                expected = place.head.last_position + 1

    def messages(self, position: int = 0) -> Iterator[JournalMessage]:
        """Yield the batches from ``position`` on as the stream delivered them. Raises ArchiveDamaged."""
        expected = position
        for chunk in self.chunks(position):
            for message in self.read(chunk):
                if expected and message.sequence > expected:
                    raise ArchiveDamaged(self._missing(chunk.path, chunk.place, expected))
                if message.sequence >= position:
                    yield message
                    expected = message.sequence + 1

    def read(self, chunk: Chunk) -> list[JournalMessage]:
        """Return the batches of a chunk. Raises ArchiveDamaged."""
        place = chunk.place
        try:
            with chunk.path.open("rb") as file:
                file.seek(place.offset + CHUNK_HEAD_BYTES)
                stored = file.read(place.head.stored_bytes)
            return unpack(self.stream, self.subject, place.head, stored)
        except (NotReadable, OSError) as error:
            head = place.head
            size = place.end - place.offset
            where = head.first_position, head.last_position, head.first_sequence
            raise ArchiveDamaged(Damage(chunk.path, place.offset, size, str(error), *where)) from error

    def position_of_sequence(self, sequence: int) -> int | None:
        """Return the stream sequence that the chunk with a tick begins with, none where there is no such tick."""
        for path in reversed(self._paths):
            places = self.places(path)
            if not places or places[0].head.first_sequence > sequence:
                continue
            at = bisect_right([place.head.first_sequence for place in places], sequence) - 1
            place = places[at]
            return place.head.first_position if sequence <= place.head.last_sequence else None
        return None

    def position_of_time(self, time_ns: int) -> int | None:
        """Return the stream sequence of the first chunk with a tick at or after an engine time, none behind the end."""
        for path in self._paths:
            places = self.places(path)
            if not places or places[-1].head.last_time_ns < time_ns:
                continue
            return next(place.head.first_position for place in places if place.head.last_time_ns >= time_ns)
        return None

    def last_place(self) -> Chunk | None:
        """Return the last chunk, none of an empty archive."""
        for path in reversed(self._paths):
            places = self.places(path)
            if places:
                return Chunk(path, places[-1])
        return None

    def places(self, path: Path) -> list[Place]:
        """Return the chunks of a segment: from its index, else by walking through it."""
        if path == self._paths[-1]:
            return self._growing_places(path)
        known = self._places.get(path)
        if known is not None:
            return known
        try:
            found = read_index(path)
        except FileNotFoundError:
            found = Damage(path, 0, 0, "no index")
        places = scan_segment(path).places if isinstance(found, Damage) else found
        self._places[path] = places
        if len(self._places) > _KEPT:
            del self._places[next(iter(self._places))]
        return places

    # ------------------------------------------------------------------------------ inside

    def _growing_places(self, path: Path) -> list[Place]:
        growing = self._growing
        size = path.stat().st_size
        if growing is None or growing.path != path or size < growing.end:
            self._growing = growing = scan_segment(path)
        elif size > growing.end:
            scan_on(growing)
        return growing.places

    def _any_head(self) -> SegmentHead | None:
        for path in self._paths:
            head = read_segment_head(path)
            if head is not None:
                return head
        return None

    def _missing(self, path: Path, place: Place, expected: int) -> Damage:
        found = place.head.first_position
        reason = f"expected batch {expected}, found batch {found}"
        return Damage(path, place.offset, 0, reason, expected, max(expected, found - 1))
