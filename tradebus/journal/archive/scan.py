"""Walk through a segment file from chunk to chunk, and find the next sound one behind a damaged place.

Nothing is believed that does not carry its checksum. What cannot be read is a Damage; where no sound chunk follows it
up to the end of the file, it is the file's *tail*: what a crash leaves of an unfinished write.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradebus.journal.archive.chunk import chunk_bytes
from tradebus.journal.archive.damage import Damage
from tradebus.journal.archive.layout import (
    CHUNK_HEAD_BYTES,
    CHUNK_MAGIC,
    HEAD_BYTES_MAX,
    ChunkHead,
    NotReadable,
    SegmentHead,
    chunk_head_from_bytes,
    crc,
    first_position_of,
    segment_head_from_bytes,
)

_HEAD_READ: Final = HEAD_BYTES_MAX + 64


@dataclass(frozen=True, slots=True)
class Place:
    """A sound chunk and where in its file it begins."""

    offset: int
    head: ChunkHead

    @property
    def end(self) -> int:
        """Return the first byte behind it."""
        return self.offset + chunk_bytes(self.head)


@dataclass(slots=True)
class Scan:
    """What a walk through a segment found: its head, its sound chunks, what is damaged, and the tail.

    ``end`` is the first byte behind the last sound part. Damaged places lie before it; ``tail`` begins there.
    ``next_position`` and ``next_sequence`` are the batch and tick that should follow, -1 where a tick cannot be named.
    """

    path: Path
    head: SegmentHead | None
    places: list[Place]
    damages: list[Damage]
    end: int
    next_position: int
    next_sequence: int
    tail: Damage | None = None


def scan_segment(path: Path) -> Scan:
    """Return what is in a segment file, every checksum of it compared. Raises OSError."""
    content = path.read_bytes()
    named = first_position_of(path.name)
    try:
        head, size = segment_head_from_bytes(content[:_HEAD_READ])
    except NotReadable as error:
        scan = Scan(path, None, [], [], 0, named, -1)
        _step_over(scan, content, 0, 0, str(error))
    else:
        scan = Scan(path, head, [], [], size, named, head.first_sequence)
        if head.first_position != named:
            scan.damages.append(Damage(path, 0, size, f"the head says that batch {head.first_position} is the first"))
    _walk(scan, content, 0)
    return scan


def read_segment_head(path: Path) -> SegmentHead | None:
    """Return the head of a segment file, none when it cannot be read as one. Raises OSError."""
    with path.open("rb") as file:
        content = file.read(_HEAD_READ)
    try:
        return segment_head_from_bytes(content)[0]
    except NotReadable:
        return None


def scan_on(scan: Scan) -> None:
    """Take in what was written to a segment since it was scanned. Raises OSError."""
    with scan.path.open("rb") as file:
        file.seek(scan.end)
        content = file.read()
    scan.tail = None
    _walk(scan, content, scan.end)


def _walk(scan: Scan, content: bytes, base: int) -> None:
    """Take in chunks from ``scan.end`` on; ``content`` holds the file from byte ``base``."""
    while scan.tail is None and scan.end - base < len(content):
        found = _sound_chunk(content, scan.end - base, base)
        if isinstance(found, Place):
            _take(scan, found)
        else:
            _step_over(scan, content, scan.end - base, base, found)


def _take(scan: Scan, place: Place) -> None:
    head = place.head
    if head.first_position != scan.next_position:
        reason = f"expected batch {scan.next_position}, found batch {head.first_position}"
        last = max(scan.next_position, head.first_position - 1)
        scan.damages.append(Damage(scan.path, place.offset, 0, reason, scan.next_position, last, scan.next_sequence))
    scan.places.append(place)
    scan.end = place.end
    scan.next_position = head.last_position + 1
    scan.next_sequence = head.last_sequence + 1


def _step_over(scan: Scan, content: bytes, at: int, base: int, reason: str) -> None:
    """Note a damaged place and go on behind it, or find that it is the tail."""
    behind = _next_sound(content, at, base)
    if behind is None:
        size = len(content) - at
        scan.tail = Damage(scan.path, base + at, size, reason, scan.next_position, 0, scan.next_sequence)
        return
    first, length = scan.next_position, behind.offset - base - at
    if behind.head.first_position > first:
        last = behind.head.first_position - 1
        scan.damages.append(Damage(scan.path, base + at, length, reason, first, last, scan.next_sequence))
        scan.next_position = behind.head.first_position
    else:
        scan.damages.append(Damage(scan.path, base + at, length, reason))
    _take(scan, behind)


def _sound_chunk(content: bytes, at: int, base: int) -> Place | str:
    """Return the chunk that begins at a byte, or why there is none."""
    try:
        head = chunk_head_from_bytes(content[at : at + CHUNK_HEAD_BYTES])
    except NotReadable as error:
        return str(error)
    stored = content[at + CHUNK_HEAD_BYTES : at + chunk_bytes(head)]
    if len(stored) < head.stored_bytes:
        return f"expected {head.stored_bytes} bytes of batches, found {len(stored)}"
    if crc(stored) != head.stored_crc:
        return "the batches do not have their checksum"
    return Place(base + at, head)


def _next_sound(content: bytes, behind: int, base: int) -> Place | None:
    at = content.find(CHUNK_MAGIC, behind)
    while at >= 0:
        found = _sound_chunk(content, at, base)
        if isinstance(found, Place):
            return found
        at = content.find(CHUNK_MAGIC, at + 1)
    return None
