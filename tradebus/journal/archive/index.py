"""The index of a finished segment: where each chunk begins, so that a batch, tick or moment is found quickly.

It says nothing that the segment does not say itself: one that is missing or damaged is made again from the segment.
"""

import struct
from pathlib import Path
from typing import Final

from tradebus.journal.archive.damage import Damage
from tradebus.journal.archive.durable import replace_file
from tradebus.journal.archive.layout import ChunkHead, crc
from tradebus.journal.archive.scan import Place

INDEX_MAGIC: Final = b"TBIDX1\r\n"
INDEX_SUFFIX: Final = ".idx"

_HEAD: Final = struct.Struct("<8sQI")
_ENTRY: Final = struct.Struct("<QIQQQqqIII")
_CRC: Final = struct.Struct("<I")


def index_path(segment: Path) -> Path:
    """Return where the index of a segment lies."""
    return segment.with_suffix(INDEX_SUFFIX)


def write_index(segment: Path, segment_bytes: int, places: list[Place]) -> None:
    """Write the index of a finished segment of ``segment_bytes`` bytes. Raises OSError."""
    parts = [_HEAD.pack(INDEX_MAGIC, segment_bytes, len(places))]
    for place in places:
        head = place.head
        parts.append(
            _ENTRY.pack(
                place.offset,
                head.batches,
                head.first_position,
                head.first_sequence,
                head.last_sequence,
                head.first_time_ns,
                head.last_time_ns,
                head.plain_bytes,
                head.stored_bytes,
                head.stored_crc,
            )
        )
    content = b"".join(parts)
    replace_file(index_path(segment), content + _CRC.pack(crc(content)))


def read_index(segment: Path) -> list[Place] | Damage:
    """Return the chunks of a finished segment as its index has them, or what is wrong with the index. Raises OSError.

    A FileNotFoundError says that there is none: the segment is still written to, or was left so by a crash.
    """
    path = index_path(segment)
    content = path.read_bytes()
    if len(content) < _HEAD.size + _CRC.size or content[: len(INDEX_MAGIC)] != INDEX_MAGIC:
        return Damage(path, 0, len(content), "expected an index")
    body = content[: -_CRC.size]
    if _CRC.unpack_from(content, len(body))[0] != crc(body):
        return Damage(path, 0, len(content), "the index does not have its checksum")
    _, segment_bytes, count = _HEAD.unpack_from(body)
    if len(body) != _HEAD.size + count * _ENTRY.size:
        return Damage(path, 0, len(content), f"expected {count} chunks, found {len(body) - _HEAD.size} bytes of them")
    found = segment.stat().st_size
    if found != segment_bytes:
        return Damage(path, 0, len(content), f"expected a segment of {segment_bytes} bytes, found {found}")
    places: list[Place] = []
    for number in range(count):
        offset, *fields = _ENTRY.unpack_from(body, _HEAD.size + number * _ENTRY.size)
        places.append(Place(offset, ChunkHead(*fields)))
    return places
