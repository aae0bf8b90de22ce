"""Say how far a reader of journals has got, and ask how far others have: the records in the bucket ``positions``.

A mark is a promise: what lies at or before it will never be asked for again by this reader, whatever happens to its
process or its disk's cache. So it is published only after what it stands for is safe: a snapshot that was read back, an
archive that was fsynced. Who publishes no mark keeps its streams whole.
"""

import time
from typing import Final

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.positions import (
    JournalMark,
    ReaderPositions,
    reader_positions_from_bytes,
    reader_positions_to_bytes,
)
from tradebus.wire.integrity import CHAIN_HEADER, CRC_HEADER

__all__ = [
    "JournalMark",
    "PositionsUnreadable",
    "ReaderPositions",
    "fingerprint_of",
    "publish_positions",
    "read_positions",
]


class PositionsUnreadable(Exception):
    """What stands under a reader's key is not a record of that reader; the message says what is wrong."""

    def __init__(self, reader: str, reason: str) -> None:
        super().__init__(f"{subjects.POSITIONS}/{reader}: {reason}")
        self.reader: Final = reader
        self.reason: Final = reason


def fingerprint_of(message: JournalMessage) -> str:
    """Return what names a stored message in a mark: its chain hash, its checksum where the stream has no chain."""
    headers = message.headers or {}
    return headers.get(CHAIN_HEADER) or headers.get(CRC_HEADER) or ""


async def publish_positions(bus: Bus, reader: str, instance: str, marks: tuple[JournalMark, ...]) -> None:
    """Set what ``reader`` (a key of ``subjects``: ``engine_reader`` and so on) says of itself, all marks at once.

    Raises NotSent, UnknownOutcome (say it again later), NoBucket.
    """
    record = ReaderPositions(reader, instance, time.time_ns(), marks)
    await bus.bucket(subjects.POSITIONS).put(reader, reader_positions_to_bytes(record))


async def read_positions(bus: Bus, reader: str) -> ReaderPositions | None:
    """Return what a reader last said of itself, none when it never did.

    Raises PositionsUnreadable, and NotSent, UnknownOutcome, NoBucket when the bucket cannot be asked.
    """
    entry = await bus.bucket(subjects.POSITIONS).get(reader)
    if entry is None or entry.value is None:
        return None
    try:
        found = reader_positions_from_bytes(entry.value)
    except DecodeError as error:
        raise PositionsUnreadable(reader, str(error)) from error
    if found.reader != reader:
        raise PositionsUnreadable(reader, f"expected a record of {reader!r}, found one of {found.reader!r}")
    return found
