"""Change every leaf of a value in turn: what reads a value must notice each of them."""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.record import Record, field_names

OTHER_TEXT = "x"


def changed_leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield a path and a copy of ``value`` with the leaf there changed, for every leaf.

    Left out are None, which has no other value of its kind, an index, what is not a record, a container or a plain
    value, and changes that a class refuses. Numbers that may be indices stay within what they were.
    """
    if isinstance(value, IndexedInstruments):
        return
    if isinstance(value, Record):
        names = field_names(type(value))
        for position, name in enumerate(names):
            for where, changed in changed_leaves(getattr(value, name), f"{path}.{name}"):
                fields = [getattr(value, each) for each in names]
                fields[position] = changed
                try:
                    made = type(value)(*fields)
                except ValueError:
                    continue
                yield where, made
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            for where, changed in changed_leaves(item, f"{path}[{position}]"):
                items = list(value)
                items[position] = changed
                yield where, type(value)(items)
    elif isinstance(value, dict):
        for key, item in value.items():
            for where, changed in changed_leaves(item, f"{path}.{key}"):
                yield where, {**value, key: changed}
    else:
        yield from ((path, other) for other in _other(value))


def _other(value: object) -> Iterator[object]:
    """Yield another value of the same kind, if there is one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value - 1 if value > 0 else value + 1
    elif isinstance(value, Decimal):
        yield value.copy_negate() if value else Decimal(1)
    elif isinstance(value, str):
        yield value + OTHER_TEXT
    elif isinstance(value, Enum):
        members = list(type(value))
        yield members[(members.index(value) + 1) % len(members)]
