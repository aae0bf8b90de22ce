"""How a segment file is laid out: a head, then chunks, each provable by itself.

A segment is one file of the archive, named after the stream sequence of its first batch. Its head says of which stream
it is. A chunk holds consecutive batches, compressed together and fsynced together: at most the last chunk of the last
segment can be torn by a crash. Everything is little-endian; every part carries a CRC-32C, and the compressed bytes one
of their own, so that a chunk can be found, skipped and proven without unpacking it.
"""

import json
import struct
from dataclasses import dataclass
from typing import Final

import google_crc32c

SEGMENT_MAGIC: Final = b"TBSEG1\r\n"
CHUNK_MAGIC: Final = b"TBc\x01"
SEGMENT_SUFFIX: Final = ".tba"
POSITION_DIGITS: Final = 20

HEAD_BYTES_MAX: Final = 4096
STORED_BYTES_MAX: Final = 64 * 1024 * 1024
"""What a chunk may claim to hold; more is damage, not a chunk."""

_PREFIX: Final = struct.Struct("<8sI")
_CRC: Final = struct.Struct("<I")
_CHUNK: Final = struct.Struct("<4sIQQQqqIII")
CHUNK_HEAD_BYTES: Final = _CHUNK.size + _CRC.size


class NotReadable(Exception):
    """Bytes that are not the part of a segment that should stand there; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """What a segment says of itself: stream and subject of every batch in it, and what its first batch follows.

    ``first_position`` is the stream sequence of the first batch, ``first_sequence`` its first tick, ``previous_chain``
    the chain hash that it says it follows (hex).
    """

    stream: str
    subject: str
    engine_id: str
    first_position: int
    first_sequence: int
    previous_chain: str


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """What a chunk says of itself: stream sequences, ticks and engine times of its batches, and its sizes in bytes."""

    batches: int
    first_position: int
    first_sequence: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int
    plain_bytes: int
    stored_bytes: int
    stored_crc: int

    @property
    def last_position(self) -> int:
        """Return the stream sequence of the last batch."""
        return self.first_position + self.batches - 1


def crc(content: bytes | memoryview) -> int:
    """Return the CRC-32C of some bytes."""
    return int(google_crc32c.value(bytes(content)))


def segment_name(first_position: int) -> str:
    """Return the file name of the segment that begins with this stream sequence."""
    return f"{first_position:0{POSITION_DIGITS}d}{SEGMENT_SUFFIX}"


def first_position_of(name: str) -> int:
    """Return the stream sequence that a segment's file name begins with. Raises ValueError for another name."""
    digits, dot, rest = name.partition(".")
    if dot + rest != SEGMENT_SUFFIX or len(digits) != POSITION_DIGITS or not digits.isdecimal():
        expected = f"the name of a segment, {POSITION_DIGITS} digits and {SEGMENT_SUFFIX}"
        raise ValueError(f"expected {expected}, found {name!r}")
    return int(digits)


def segment_head_to_bytes(head: SegmentHead) -> bytes:
    """Return the bytes that begin a segment file."""
    text = json.dumps({name: getattr(head, name) for name in SegmentHead.__slots__}).encode()
    begin = _PREFIX.pack(SEGMENT_MAGIC, len(text)) + text
    return begin + _CRC.pack(crc(begin))


def segment_head_from_bytes(content: bytes) -> tuple[SegmentHead, int]:
    """Return the head of a segment and how many bytes it takes; ``content`` is the file's beginning.

    Raises NotReadable.
    """
    if len(content) < _PREFIX.size:
        raise NotReadable(f"expected the head of a segment, found {len(content)} bytes")
    magic, size = _PREFIX.unpack_from(content)
    if magic != SEGMENT_MAGIC or size > HEAD_BYTES_MAX:
        raise NotReadable(f"expected the head of a segment, found {content[:8]!r}")
    end = _PREFIX.size + size
    if len(content) < end + _CRC.size:
        raise NotReadable(f"expected a head of {end + _CRC.size} bytes, found {len(content)}")
    if _CRC.unpack_from(content, end)[0] != crc(content[:end]):
        raise NotReadable("the head of the segment does not have its checksum")
    return SegmentHead(**json.loads(content[_PREFIX.size : end])), end + _CRC.size


def chunk_head_to_bytes(head: ChunkHead) -> bytes:
    """Return the bytes that begin a chunk."""
    begin = _CHUNK.pack(
        CHUNK_MAGIC,
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
    return begin + _CRC.pack(crc(begin))


def chunk_head_from_bytes(content: bytes) -> ChunkHead:
    """Return the head of the chunk that begins ``content``. Raises NotReadable."""
    if len(content) < CHUNK_HEAD_BYTES:
        raise NotReadable(f"expected the head of a chunk, {CHUNK_HEAD_BYTES} bytes, found {len(content)}")
    magic, *fields = _CHUNK.unpack_from(content)
    if magic != CHUNK_MAGIC:
        raise NotReadable(f"expected the head of a chunk, found {content[:8].hex()}")
    if _CRC.unpack_from(content, _CHUNK.size)[0] != crc(content[: _CHUNK.size]):
        raise NotReadable("the head of the chunk does not have its checksum")
    head = ChunkHead(*fields)
    if not head.batches or head.stored_bytes > STORED_BYTES_MAX:
        raise NotReadable(f"expected a chunk of batches, found {head.batches} in {head.stored_bytes} bytes")
    return head
