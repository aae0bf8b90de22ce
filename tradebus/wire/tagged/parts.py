"""Read the parts that every tagged form is made of; whatever is wrong raises DecodeError with its path."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from tradebus.core.model.number import NumberError, decimal_text, parse_decimal
from tradebus.wire.codec.error import DecodeError, Inconsistent, InvalidNumber, Malformed, MissingField

NS_PER_MS: Final = 1_000_000
_MS_MAX: Final = (2**63 - 1) // NS_PER_MS

Json = object
"""A decoded JSON value."""
Members = Mapping[str, Json]
"""A decoded JSON object."""

T = TypeVar("T")


def members(value: Json) -> Members:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise Malformed(f"expected an object, found {value!r:.80}")
    return value


def items(value: Json) -> Sequence[Json]:
    """Return a JSON array."""
    if not isinstance(value, list):
        raise Malformed(f"expected an array, found {value!r:.80}")
    return value


def text(value: Json) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise Malformed(f"expected a text, found {value!r:.80}")
    return value


def boolean(value: Json) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Malformed(f"expected true or false, found {value!r:.80}")
    return value


def whole(value: Json) -> int:
    """Return a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"expected a whole number, found {value!r:.80}")
    return value


def number(value: Json) -> Decimal:
    """Return a number, written as text or as a JSON number; a binary fraction is read from its shortest text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Malformed(f"expected a number, found {value!r:.80}")
    try:
        found = parse_decimal(str(value))
        # A binary fraction has no trailing zero of its own: 5.0 is the number 5.
        return Decimal(decimal_text(found)) if isinstance(value, float) else found
    except NumberError as error:
        raise InvalidNumber(str(error)) from None


def time_ns(value: Json) -> int:
    """Return a time written in whole milliseconds since the epoch, as nanoseconds."""
    ms = whole(value)
    if not -_MS_MAX <= ms <= _MS_MAX:
        raise Inconsistent(f"expected milliseconds since the epoch, found {ms}")
    return ms * NS_PER_MS


def at(path: str, read: Callable[[Json], T], value: Json) -> T:
    """Read a part; an error names where it lies."""
    try:
        return read(value)
    except DecodeError as error:
        error.prefix(path)
        raise


def member(of: Members, name: str, read: Callable[[Json], T]) -> T:
    """Read a member that must be there."""
    if name not in of:
        raise MissingField("expected a value, found none", name)
    return at(name, read, of[name])


def inner(of: Members, outer: str, name: str, read: Callable[[Json], T]) -> T:
    """Read a member of a member, both of which must be there."""
    return member(of, outer, lambda value: member(members(value), name, read))


def optional(of: Members, name: str, read: Callable[[Json], T]) -> T | None:
    """Read a member that may be absent or null."""
    value = of.get(name)
    return None if value is None else at(name, read, value)


def every(of: Members, name: str, read: Callable[[Json], T]) -> list[T]:
    """Read the elements of an array that must be there."""
    return [at(f"{name}[{i}]", read, value) for i, value in enumerate(member(of, name, items))]


def variant(value: Json) -> tuple[str, Members]:
    """Return the name of a union's variant and what it holds; a variant written as bare text holds nothing."""
    if isinstance(value, str):
        return value, {}
    written = members(value)
    if len(written) != 1:
        raise Malformed(f"expected one variant, found {sorted(written)}")
    ((name, content),) = written.items()
    return name, {} if content is None else members(content)
