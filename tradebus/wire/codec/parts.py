"""Read the parts of a message, adding the names of fields to what goes wrong inside."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message

from tradebus.wire.codec.bounds import IndexBounds
from tradebus.wire.codec.error import DecodeError, EncodeError, Inconsistent, Malformed, MissingField
from tradebus.wire.integrity import CHAIN_HEX_DIGITS

CHAIN_BYTES: Final = CHAIN_HEX_DIGITS // 2

M = TypeVar("M", bound=Message)
V = TypeVar("V")


def parse(kind: type[M], payload: bytes) -> M:
    """Return the message of this kind in ``payload``; raises Malformed."""
    try:
        return kind.FromString(payload)
    except ProtobufError as error:
        name = kind.DESCRIPTOR.name
        raise Malformed(f"expected a {name}, found {len(payload)} bytes that are none: {error}") from None


def serialise(message: Message) -> bytes:
    """Return the bytes of a message."""
    return message.SerializeToString()


def child(parent: Message, name: str, part: M, decode: Callable[[M, IndexBounds], V], bounds: IndexBounds) -> V:
    """Decode ``part``, the message that stands in field ``name`` of ``parent``; raises MissingField if it is absent."""
    if not parent.HasField(name):
        raise MissingField(f"expected a {part.DESCRIPTOR.name}, found none", name)
    return named(name, part, decode, bounds)


def named(name: str, part: M, decode: Callable[[M, IndexBounds], V], bounds: IndexBounds) -> V:
    """Decode ``part``, which is known to be there; ``name`` is its field."""
    try:
        return decode(part, bounds)
    except DecodeError as error:
        error.prefix(name)
        raise


def children(
    name: str, parts: Iterable[M], decode: Callable[[M, IndexBounds], V], bounds: IndexBounds
) -> tuple[V, ...]:
    """Decode the messages of a repeated field, in order."""
    found: list[V] = []
    try:
        for part in parts:
            found.append(decode(part, bounds))  # noqa: PERF401 - how many there are says where it failed
    except DecodeError as error:
        error.prefix(f"{name}[{len(found)}]")
        raise
    return tuple(found)


def text(value: str, path: str) -> str:
    """Return a text that must not be empty, such as an id; raises MissingField."""
    if not value:
        raise MissingField("expected a text, found an empty one", path)
    return value


def chain(value: bytes, path: str) -> bytes:
    """Return the chain hash of another batch; raises Inconsistent when it is not one by its length."""
    if len(value) != CHAIN_BYTES:
        raise Inconsistent(f"expected {CHAIN_BYTES} bytes, found {len(value)}", path)
    return value


def nothing_set(oneof: str, kind: type[Message] | Message) -> MissingField:
    """Return the error for a oneof of which nothing is set, or something that this version does not know."""
    fields = kind.DESCRIPTOR.oneofs_by_name[oneof].fields
    return MissingField(f"expected one of {', '.join(field.name for field in fields)}, found none", oneof)


def cannot_encode(kind: str, error: Exception) -> EncodeError:
    """Return the error for a value that protobuf refused: text that is not Unicode, a number out of its range."""
    return EncodeError(f"{kind}: {error}")
