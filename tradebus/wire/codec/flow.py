"""Credit that an engine grants to a replay feed: ``flow.proto``."""

from dataclasses import dataclass

from tradebus.wire.codec.parts import cannot_encode, parse, text
from tradebus.wire.pb.v1 import flow_pb2 as pb


@dataclass(frozen=True, slots=True)
class Credit:
    """How many items the feed of a run may have sent in all since the run began, and what of them arrived.

    ``received_through`` is the sequence of the last item received without a hole before it (0: none), ``resend_from``
    asks for everything from that sequence on once more (0: nothing is missing).
    """

    run: str
    granted: int
    received_through: int = 0
    resend_from: int = 0


def credit_to_bytes(credit: Credit) -> bytes:
    """Return the bytes of a credit; raises EncodeError."""
    message = pb.Credit()
    try:
        message.run = credit.run
        message.granted = credit.granted
        message.received_through = credit.received_through
        message.resend_from = credit.resend_from
    except (TypeError, ValueError) as error:
        raise cannot_encode("Credit", error) from error
    return message.SerializeToString()


def credit_from_bytes(payload: bytes) -> Credit:
    """Return the credit in ``payload``; raises DecodeError."""
    message = parse(pb.Credit, payload)
    return Credit(text(message.run, "run"), message.granted, message.received_through, message.resend_from)
