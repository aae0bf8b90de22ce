"""Credit that an engine grants to a replay feed: ``flow.proto``."""

from dataclasses import dataclass

from tradebus.wire.codec.parts import cannot_encode, parse, text
from tradebus.wire.pb.v1 import flow_pb2 as pb


@dataclass(frozen=True, slots=True)
class Credit:
    """How many items the feed of a run may have sent in all since the run began."""

    run: str
    granted: int


def credit_to_bytes(credit: Credit) -> bytes:
    """Return the bytes of a credit; raises EncodeError."""
    message = pb.Credit()
    try:
        message.run = credit.run
        message.granted = credit.granted
    except (TypeError, ValueError) as error:
        raise cannot_encode("Credit", error) from error
    return message.SerializeToString()


def credit_from_bytes(payload: bytes) -> Credit:
    """Return the credit in ``payload``; raises DecodeError."""
    message = parse(pb.Credit, payload)
    return Credit(text(message.run, "run"), message.granted)
