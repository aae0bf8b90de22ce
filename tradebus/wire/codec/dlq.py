"""What could not be read, kept for people: ``dlq.proto``."""

from dataclasses import dataclass
from typing import Final

from tradebus.wire.codec.error import Inconsistent
from tradebus.wire.codec.parts import cannot_encode, parse, text
from tradebus.wire.pb.v1 import dlq_pb2 as pb

PAYLOAD_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be read; made by ``dead_letter``, which cuts a long payload.

    ``stream_sequence`` is 0 for what came over no stream; ``time_ns`` is when it was received.
    """

    service: str
    subject: str
    reason: str
    payload: bytes
    payload_bytes_total: int
    stream_sequence: int
    time_ns: int


def dead_letter(
    service: str, subject: str, reason: str, payload: bytes, time_ns: int, stream_sequence: int = 0
) -> DeadLetter:
    """Return the dead letter for a message, keeping at most the first 64 KiB of it.

    The reason and the subject may hold anything; what is not Unicode text is written with backslashes.
    """
    return DeadLetter(
        service,
        _writable(subject),
        _writable(reason),
        payload[:PAYLOAD_BYTES_MAX],
        len(payload),
        stream_sequence,
        time_ns,
    )


def _writable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def dead_letter_to_bytes(letter: DeadLetter) -> bytes:
    """Return the bytes of a dead letter; raises EncodeError."""
    message = pb.DeadLetter()
    try:
        message.service = letter.service
        message.subject = letter.subject
        message.reason = letter.reason
        message.payload = letter.payload
        message.payload_bytes_total = letter.payload_bytes_total
        message.stream_sequence = letter.stream_sequence
        message.time_ns = letter.time_ns
    except (TypeError, ValueError) as error:
        raise cannot_encode("DeadLetter", error) from error
    return message.SerializeToString()


def dead_letter_from_bytes(payload: bytes) -> DeadLetter:
    """Return the dead letter in ``payload``; raises DecodeError."""
    message = parse(pb.DeadLetter, payload)
    total, kept = message.payload_bytes_total, message.payload
    if len(kept) != min(total, PAYLOAD_BYTES_MAX):
        found = f"{len(kept)} of {total} bytes"
        raise Inconsistent(f"expected all bytes up to {PAYLOAD_BYTES_MAX}, found {found}", "payload")
    return DeadLetter(
        text(message.service, "service"),
        text(message.subject, "subject"),
        text(message.reason, "reason"),
        kept,
        total,
        message.stream_sequence,
        message.time_ns,
    )
