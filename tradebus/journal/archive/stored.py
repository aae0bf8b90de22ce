"""Prepare a verified batch for the archive: which ticks and engine times it spans."""

from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.chunk import Stored
from tradebus.wire.codec.audit import AuditFrames, tick_time_from_bytes


def stored_batch(message: JournalMessage, frames: AuditFrames) -> Stored:
    """Return a batch as the archive takes it; ``frames`` are those of its payload. Raises DecodeError."""
    head = frames.head
    first, last = tick_time_from_bytes(frames.ticks[0]), tick_time_from_bytes(frames.ticks[-1])
    return Stored(message, head.first_sequence, head.last_sequence, first, last)
