"""Values of the core as plain JSON data and back, for what the audit service keeps on its own disk.

Only for a cache that can be built anew: classes and fields go by their names, and data that an upgrade made unreadable
is refused, not guessed. What leaves a process or must be readable for ever has its message in ``proto/``.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar

from tradebus.core.model.record import Record, field_names

_OURS: Final = "tradebus.core."

_DECIMAL: Final = "d"
_ENUM: Final = "e"
_RECORD: Final = "r"
_TUPLE: Final = "t"

T = TypeVar("T")


class NotPlain(ValueError):
    """Data that is not of this form, or of classes as they were in another version; the message says which."""


def to_plain(value: object) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a value as JSON data: numbers, texts, lists, and one-entry maps that name what else it is."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, Enum):
        return {_ENUM: [type(value).__name__, value.name]}
    if isinstance(value, Record):
        kind = type(value)
        return {_RECORD: [kind.__name__, {name: to_plain(getattr(value, name)) for name in field_names(kind)}]}
    if isinstance(value, tuple):
        return {_TUPLE: [to_plain(each) for each in value]}
    if isinstance(value, list):
        return [to_plain(each) for each in value]
    raise NotPlain(f"expected a value of the core, found {type(value).__name__}")


def from_plain(data: Any) -> Any:  # noqa: ANN401 - whatever it was
    """Return the value that ``to_plain`` was given. Raises NotPlain."""
    if isinstance(data, list):
        return [from_plain(each) for each in data]
    if not isinstance(data, dict):
        return data
    ((tag, content),) = data.items()
    if tag == _DECIMAL:
        return Decimal(content)
    if tag == _TUPLE:
        return tuple(from_plain(each) for each in content)
    if tag == _ENUM:
        return enum_of(content[0])[content[1]]
    if tag == _RECORD:
        return _record(*content)
    raise NotPlain(f"expected a value of the core, found {tag!r}")


def record_of(name: str) -> type[Record]:
    """Return the class of the core with this name. Raises NotPlain."""
    found = _records().get(name)
    if found is None:
        raise NotPlain(f"expected a class of the core, found {name!r}")
    return found


def enum_of(name: str) -> type[Enum]:
    """Return the enumeration of the core with this name. Raises NotPlain."""
    found = _enums().get(name)
    if found is None:
        raise NotPlain(f"expected an enumeration of the core, found {name!r}")
    return found


def _record(name: str, values: dict[str, Any]) -> Record:
    kind = record_of(name)
    if tuple(values) != field_names(kind):
        raise NotPlain(f"{name}: expected the fields {', '.join(field_names(kind))}, found {', '.join(values)}")
    return kind(*[from_plain(each) for each in values.values()])


@cache
def _records() -> dict[str, type[Record]]:
    return {kind.__name__: kind for kind in _below(Record) if kind.__module__.startswith(_OURS)}


@cache
def _enums() -> dict[str, type[Enum]]:
    return {kind.__name__: kind for kind in _below(Enum) if kind.__module__.startswith(_OURS)}


def _below(kind: type[T]) -> Iterator[type[T]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
