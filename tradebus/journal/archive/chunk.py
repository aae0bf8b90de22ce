"""Pack consecutive batches into one compressed chunk, and get them back exactly as the stream stored them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.compression import compress, decompress
from tradebus.journal.archive.layout import (
    CHUNK_HEAD_BYTES,
    ChunkHead,
    NotReadable,
    chunk_head_to_bytes,
    crc,
)

CHUNK_BYTES: Final = 1024 * 1024
"""Batches of about this many bytes, before compression, make a full chunk: what a random access has to unpack."""

_BATCH: Final = struct.Struct("<qII")


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch as the stream holds it, and what of it the archive can be searched by: ticks and engine times."""

    message: JournalMessage
    first_sequence: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int

    @property
    def plain_bytes(self) -> int:
        """Return how many bytes it takes before compression, about."""
        return len(self.message.payload) + 80


def pack(batches: Sequence[Stored]) -> tuple[ChunkHead, bytes]:
    """Return the head of a chunk with these batches, and head and compressed batches as they stand in the file."""
    parts: list[bytes] = []
    for batch in batches:
        message = batch.message
        headers = _headers_to_bytes(message)
        parts += (_BATCH.pack(message.time_ns, len(headers), len(message.payload)), headers, message.payload)
    plain = b"".join(parts)
    stored = compress(plain)
    first, last = batches[0], batches[-1]
    head = ChunkHead(
        len(batches),
        first.message.sequence,
        first.first_sequence,
        last.last_sequence,
        first.first_time_ns,
        last.last_time_ns,
        len(plain),
        len(stored),
        crc(stored),
    )
    return head, chunk_head_to_bytes(head) + stored


def unpack(stream: str, subject: str, head: ChunkHead, stored: bytes) -> list[JournalMessage]:
    """Return the batches of a chunk as the stream delivered them. Raises NotReadable."""
    if len(stored) != head.stored_bytes:
        raise NotReadable(f"expected {head.stored_bytes} bytes of batches, found {len(stored)}")
    if crc(stored) != head.stored_crc:
        raise NotReadable("the batches do not have their checksum")
    plain = decompress(stored, head.plain_bytes)
    return _batches_from_bytes(stream, subject, head, plain)


def chunk_bytes(head: ChunkHead) -> int:
    """Return how many bytes of a segment a chunk takes."""
    return CHUNK_HEAD_BYTES + head.stored_bytes


def _batches_from_bytes(stream: str, subject: str, head: ChunkHead, plain: bytes) -> list[JournalMessage]:
    found: list[JournalMessage] = []
    at = 0
    while at + _BATCH.size <= len(plain):
        time_ns, header_bytes, payload_bytes = _BATCH.unpack_from(plain, at)
        begin = at + _BATCH.size
        middle = begin + header_bytes
        at = middle + payload_bytes
        headers = _headers_from_bytes(plain[begin:middle]) if header_bytes else None
        sequence = head.first_position + len(found)
        payload = plain[middle:at]
        found.append(JournalMessage(stream, subject, sequence, payload, headers, time_ns, 0))
    if at != len(plain) or len(found) != head.batches:
        raise NotReadable(f"expected {head.batches} batches in {len(plain)} bytes, found {len(found)} in {at}")
    return found


def _headers_to_bytes(message: JournalMessage) -> bytes:
    return "\n".join(f"{name}:{value}" for name, value in (message.headers or {}).items()).encode()


def _headers_from_bytes(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(":")
        found[name] = value
    return found
