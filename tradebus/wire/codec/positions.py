"""How far readers of journals have got: ``positions.proto``."""

from dataclasses import dataclass

from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.error import Inconsistent
from tradebus.wire.codec.parts import cannot_encode, children, parse, text
from tradebus.wire.pb.v1 import positions_pb2 as pb


@dataclass(frozen=True, slots=True)
class JournalMark:
    """How far a reader has got in a stream: ``position`` is the last message that it will never ask for again.

    ``fingerprint`` is that message's ``Tb-Chain`` (``Tb-Crc32c`` in a stream without a chain), empty at position 0.
    ``next_sequence`` is the first tick or entry behind it.
    """

    stream: str
    position: int = 0
    fingerprint: str = ""
    next_sequence: int = 0


@dataclass(frozen=True, slots=True)
class ReaderPositions:
    """Everything that one reader says of itself; ``time_ns`` by its own clock, nanoseconds since the epoch."""

    reader: str
    instance: str
    time_ns: int
    marks: tuple[JournalMark, ...] = ()

    def mark(self, stream: str) -> JournalMark | None:
        """Return the mark in a stream, none where the reader says nothing of it: it may need all of it."""
        return next((mark for mark in self.marks if mark.stream == stream), None)


def reader_positions_to_bytes(positions: ReaderPositions) -> bytes:
    """Return the bytes of a reader's positions; raises EncodeError."""
    message = pb.ReaderPositions()
    try:
        message.reader = positions.reader
        message.instance = positions.instance
        message.time_ns = positions.time_ns
        for mark in positions.marks:
            message.marks.add(
                stream=mark.stream,
                position=mark.position,
                fingerprint=mark.fingerprint,
                next_sequence=mark.next_sequence,
            )
    except (TypeError, ValueError) as error:
        raise cannot_encode("ReaderPositions", error) from error
    return message.SerializeToString()


def reader_positions_from_bytes(payload: bytes) -> ReaderPositions:
    """Return the positions in ``payload``; raises DecodeError, also for a mark that does not name its message."""
    message = parse(pb.ReaderPositions, payload)
    return ReaderPositions(
        text(message.reader, "reader"),
        text(message.instance, "instance"),
        message.time_ns,
        children("marks", message.marks, _mark_from_pb, UNBOUNDED),
    )


def _mark_from_pb(message: pb.JournalMark, _bounds: IndexBounds) -> JournalMark:
    if bool(message.fingerprint) != bool(message.position):
        expected = "a fingerprint" if message.position else "no fingerprint at position 0"
        raise Inconsistent(f"expected {expected}, found {message.fingerprint!r}", "fingerprint")
    return JournalMark(text(message.stream, "stream"), message.position, message.fingerprint, message.next_sequence)
