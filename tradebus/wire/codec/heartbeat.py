"""What every process says of itself: ``heartbeat.proto``."""

from dataclasses import dataclass

from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.parts import cannot_encode, children, parse, text
from tradebus.wire.pb.v1 import heartbeat_pb2 as pb


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The last sequence sent on a subject, under an epoch; 0: none yet."""

    subject: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process is alive; ``time_ns`` by its own clock, nanoseconds since the epoch."""

    service: str
    instance: str
    mode: str
    time_ns: int
    state: str
    positions: tuple[StreamPosition, ...] = ()
    leases: tuple[str, ...] = ()


def heartbeat_to_bytes(heartbeat: Heartbeat) -> bytes:
    """Return the bytes of a heartbeat; raises EncodeError."""
    message = pb.Heartbeat()
    try:
        message.service = heartbeat.service
        message.instance = heartbeat.instance
        message.mode = heartbeat.mode
        message.time_ns = heartbeat.time_ns
        message.state = heartbeat.state
        for position in heartbeat.positions:
            message.positions.add(subject=position.subject, epoch=position.epoch, sequence=position.sequence)
        message.leases.extend(heartbeat.leases)
    except (TypeError, ValueError) as error:
        raise cannot_encode("Heartbeat", error) from error
    return message.SerializeToString()


def heartbeat_from_bytes(payload: bytes) -> Heartbeat:
    """Return the heartbeat in ``payload``; raises DecodeError."""
    message = parse(pb.Heartbeat, payload)
    return Heartbeat(
        text(message.service, "service"),
        text(message.instance, "instance"),
        text(message.mode, "mode"),
        message.time_ns,
        text(message.state, "state"),
        children("positions", message.positions, _position_from_pb, UNBOUNDED),
        tuple(message.leases),
    )


def _position_from_pb(message: pb.StreamPosition, _bounds: IndexBounds) -> StreamPosition:
    return StreamPosition(text(message.subject, "subject"), message.epoch, message.sequence)
