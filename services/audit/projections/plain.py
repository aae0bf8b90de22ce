"""Values of the core as plain JSON data and back, for what the audit service keeps on its own disk.

Only for a cache that can be built anew: classes and fields go by their names, and data that an upgrade made unreadable
is refused, not guessed. What leaves a process or must be readable for ever has its message in ``proto/``.
"""

from collections.abc import Callable, Iterator
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

_SAME: Final = frozenset({type(None), bool, int, str})
"""Values of these classes are JSON as they are."""

T = TypeVar("T")

_WRITERS: Final[dict[type, Callable[[Any], Any]]] = {}


class NotPlain(ValueError):
    """Data that is not of this form, or of classes as they were in another version; the message says which."""


def to_plain(value: object) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a value as JSON data: numbers, texts, lists, and one-entry maps that name what else it is."""
    kind = type(value)
    return value if kind in _SAME else _writer(kind)(value)


def from_plain(data: Any) -> Any:  # noqa: ANN401 - whatever it was
    """Return the value that ``to_plain`` was given. Raises NotPlain."""
    if isinstance(data, list):
        return [each if type(each) in _SAME else from_plain(each) for each in data]
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


def _writer(kind: type) -> Callable[[Any], Any]:
    """Return what makes JSON data of the values of a class, made once. Raises NotPlain."""
    writer = _WRITERS.get(kind)
    if writer is None:
        writer = _WRITERS[kind] = _made_writer(kind)
    return writer


def _made_writer(kind: type) -> Callable[[Any], Any]:
    if issubclass(kind, (bool, int, str)):
        return lambda value: value
    if issubclass(kind, Decimal):
        return lambda value: {_DECIMAL: str(value)}
    if issubclass(kind, Enum):
        return lambda value: {_ENUM: [kind.__name__, value.name]}
    if issubclass(kind, Record):
        return _record_writer(kind)
    if issubclass(kind, tuple):
        return lambda value: {_TUPLE: [to_plain(each) for each in value]}
    if issubclass(kind, list):
        return lambda value: [to_plain(each) for each in value]
    raise NotPlain(f"expected a value of the core, found {kind.__name__}")


def _record_writer(kind: type[Record]) -> Callable[[Any], Any]:
    names, same, writer = field_names(kind), _SAME, _writer

    def write(value: Any) -> Any:  # noqa: ANN401 - it is of that class
        found: dict[str, Any] = {}
        for name in names:
            each = getattr(value, name)
            of = type(each)
            found[name] = each if of in same else writer(of)(each)
        return {_RECORD: [kind.__name__, found]}

    return write


def _record(name: str, values: dict[str, Any]) -> Record:
    kind = record_of(name)
    if tuple(values) != field_names(kind):
        raise NotPlain(f"{name}: expected the fields {', '.join(field_names(kind))}, found {', '.join(values)}")
    return kind(*[each if type(each) in _SAME else from_plain(each) for each in values.values()])


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
