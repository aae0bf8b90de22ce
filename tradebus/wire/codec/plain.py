"""Values that user data may hold: ``plain.proto``."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.error import EncodeError, Inconsistent, InvalidNumber
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.parts import children, named, nothing_set
from tradebus.wire.pb.v1 import plain_pb2 as pb

DEPTH_MAX: Final = 40
"""Containers inside each other. Protobuf reads 100 messages deep, and a container takes two."""

DECIMAL_DIGITS_MAX: Final = 80
"""A longer whole number travels in hexadecimal, for which Python has no limit and needs no quadratic time."""

_INTEGER: Final = re.compile(r"-?(?:[0-9]{1,80}|0x[0-9a-f]+)", re.ASCII).fullmatch
_DECIMAL_LIMIT: Final = 10**DECIMAL_DIGITS_MAX


def plain_to_pb(value: object, into: pb.PlainValue, depth: int = 0) -> None:
    """Fill a message with a plain value; raises EncodeError for what is none, and for one that is too deep."""
    kind = type(value)
    if value is None:
        into.none = True
    elif isinstance(value, bool):
        into.boolean = value
    elif isinstance(value, int) and kind is int:
        into.integer = str(value) if -_DECIMAL_LIMIT < value < _DECIMAL_LIMIT else hex(value)
    elif isinstance(value, Decimal) and kind is Decimal:
        into.decimal = computed_to_text(value)
    elif isinstance(value, str) and kind is str:
        into.text = value
    elif isinstance(value, bytes) and kind is bytes:
        into.binary = value
    elif depth >= DEPTH_MAX:
        raise EncodeError(f"expected at most {DEPTH_MAX} containers inside each other")
    elif isinstance(value, list) and kind is list:
        _items_to_pb(value, into.list, depth)
    elif isinstance(value, tuple) and kind is tuple:
        _items_to_pb(value, into.tuple, depth)
    elif isinstance(value, dict) and kind is dict:
        plain_dict_to_pb(value, into.dict, depth)
    else:
        raise EncodeError(f"expected None, bool, int, Decimal, str, bytes, list, tuple or dict, found {kind.__name__}")


def _items_to_pb(items: list[object] | tuple[object, ...], into: pb.PlainList, depth: int) -> None:
    into.SetInParent()
    for item in items:
        plain_to_pb(item, into.items.add(), depth + 1)


def plain_dict_to_pb(entries: Mapping[Any, object], into: pb.PlainDict, depth: int = 0) -> None:
    """Fill a message with a map of plain values; raises EncodeError, also for a key that is no text."""
    into.SetInParent()
    for key, item in entries.items():
        if type(key) is not str:
            raise EncodeError(f"expected text as key, found {type(key).__name__}")
        into.keys.append(key)
        plain_to_pb(item, into.values.add(), depth + 1)


def plain_from_pb(message: pb.PlainValue, bounds: IndexBounds = UNBOUNDED) -> object:
    """Return a plain value; raises DecodeError."""
    which = message.WhichOneof("kind")
    if which == "decimal":
        return computed_from_text(message.decimal, which)
    if which == "integer":
        return _integer_from_text(message.integer)
    if which == "text":
        return message.text
    if which == "none":
        return None
    if which == "boolean":
        return message.boolean
    if which == "binary":
        return message.binary
    if which == "list":
        return list(named(which, message.list, _items_from_pb, bounds))
    if which == "tuple":
        return named(which, message.tuple, _items_from_pb, bounds)
    if which == "dict":
        return named(which, message.dict, plain_dict_from_pb, bounds)
    raise nothing_set("kind", message)


def _integer_from_text(value: str) -> int:
    if _INTEGER(value) is None:
        raise InvalidNumber(
            f"expected a whole number of at most {DECIMAL_DIGITS_MAX} digits, or in hexadecimal, found {value!r:.160}",
            "integer",
        )
    return int(value, 16 if "x" in value else 10)


def _items_from_pb(message: pb.PlainList, bounds: IndexBounds) -> tuple[object, ...]:
    return children("items", message.items, plain_from_pb, bounds)


def plain_dict_from_pb(message: pb.PlainDict, bounds: IndexBounds = UNBOUNDED) -> dict[str, object]:
    """Return a map of plain values, keys in the order they were written; raises DecodeError."""
    values = children("values", message.values, plain_from_pb, bounds)
    entries = dict(zip(message.keys, values, strict=False))
    if not len(entries) == len(message.keys) == len(values):
        found = f"{len(message.keys)} keys, {len(values)} values, {len(entries)} entries"
        raise Inconsistent(f"expected every key once and as many values, found {found}", "keys")
    return entries
