"""Give value classes equality, hash and a readable form from one list of field names.

A class lists its fields once, in the order of its constructor: ``FIELDS``. Equality, hashing,
``repr``, the canonical text (and so every state hash) and the tests of the codecs walk that list,
so a field cannot be forgotten in one of them.
"""

from typing import ClassVar

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Record:
    """Base of everything that is compared, hashed or sent: behaviour over ``FIELDS`` only."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        """Compare by class and fields."""
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        return all(getattr(self, name) == getattr(other, name) for name in field_names(type(self)))

    def __hash__(self) -> int:
        """Hash by class and fields; records holding lists or maps are not hashable, as usual."""
        return hash((type(self).__name__, field_values(self)))

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle as what a record is: its class and its fields, alike in both builds."""
        return (type(self), field_values(self))

    def __repr__(self) -> str:
        """Show the constructor call that makes an equal record."""
        inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in field_names(type(self)))
        return f"{type(self).__name__}({inner})"


def field_names(kind: type) -> tuple[str, ...]:
    """Return the field names of a record class, in the order of its constructor."""
    names: tuple[str, ...] = kind.FIELDS  # type: ignore[attr-defined]  # every Record has it; `type` cannot say so
    return names


def field_values(record: Record) -> tuple[object, ...]:
    """Return the values of a record's fields, in the order of its constructor."""
    return tuple(getattr(record, name) for name in field_names(type(record)))
