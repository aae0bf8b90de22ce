"""A stored tick as plain data for people and other programs: the fields of the contract, by their names."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from tradebus.wire.codec.parts import parse
from tradebus.wire.pb.v1 import audit_pb2 as pb


def tick_as_data(payload: bytes) -> dict[str, Any]:
    """Return the tick in ``payload``: what ``AuditTick`` in ``audit.proto`` says, sequence and time as numbers.

    Other 64-bit numbers are texts, as in every protobuf JSON. Raises DecodeError.
    """
    message = parse(pb.AuditTick, payload)
    data: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return {**data, "sequence": message.sequence, "time_ns": message.time_ns}


def kind_of_tick(payload: bytes) -> str:
    """Return which event a tick holds, ``market`` for instance, empty for none. Raises DecodeError."""
    return parse(pb.AuditTick, payload).WhichOneof("event") or ""
