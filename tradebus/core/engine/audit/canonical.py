"""Write any value as one canonical text, so that equal values give equal hashes on every machine and build.

Every item carries a mark of its kind and ends unambiguously, so no two different values share a text: ``~`` none,
``t``/``f`` bools, ``i5;`` ints, ``d1.5;`` decimals (stripped: 1.0 = 1, -0 = 0), ``s3:abc`` text with its length, ``b``
bytes as hex, ``e`` enum names, ``[..]`` lists and tuples, ``{..}`` maps sorted by key, ``Name(..)`` records with their
fields in order. Floats and anything else are refused: they have no place in a state.

The version (``HASH_VERSION``) says what is written. It rises when a release adds a field to a class of the state, and
``ADDED_IN`` then says which, so that the hash of an older snapshot or batch can still be computed and compared.
"""

from decimal import Decimal
from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import decimal_text
from tradebus.core.model.record import Record, field_names

HASH_VERSION: Final = 2
ADDED_IN: Final[dict[str, dict[str, int]]] = {"EngineState": {"commands": 2}}
"""Class, field, and the version that wrote the field first; what is not here is in every version."""
USER_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "GlobalDataState": ("data",),
    "InstrumentDataState": ("data", "price"),
}
"""Fields of user-defined data, by class: they are hashed apart, in the user root, as plain values."""
TRANSPORT_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "Command": ("position",),
    "CommandRejected": ("position",),
    "TradingStateUpdate": ("command_id", "position"),
    "ConfigChanged": ("command_id", "position"),
    "Shutdown": ("command_id", "position", "origin"),
}
"""Fields of events, by class, that say how a command came: a digest tells what happened, not by which stream."""
_LEFT_OUT: Final[dict[str, tuple[str, ...]]] = {**USER_FIELDS, **TRANSPORT_FIELDS}


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class NotCanonical(TypeError):
    """A value that has no canonical text."""


def canonical_text(value: object, version: int = HASH_VERSION) -> str:
    """Return the canonical text of a value; raises NotCanonical naming the type it cannot write."""
    out: list[str] = []
    write(value, out, version)
    return "".join(out)


def written_fields(kind: type, version: int) -> tuple[str, ...]:
    """Return the fields of a record class that a version writes, in order."""
    added = ADDED_IN.get(kind.__name__)
    left_out = _LEFT_OUT.get(kind.__name__, ())
    if added is None:
        if not left_out:
            return field_names(kind)
        added = {}
    names = [name for name in field_names(kind) if added.get(name, 1) <= version]
    return tuple([name for name in names if name not in left_out])


def write(value: object, out: list[str], version: int = HASH_VERSION) -> None:
    """Append the canonical text of a value to ``out``, in pieces."""
    if value is None:
        out.append("~")
    elif isinstance(value, Decimal):
        out.append(f"d{decimal_text(value)};")
    elif isinstance(value, str):
        out.append(f"s{len(value)}:{value}")
    elif isinstance(value, bool):
        out.append("t" if value else "f")
    elif isinstance(value, int):
        out.append(f"i{value};")
    elif isinstance(value, IndexedInstruments):
        out.append(f"index {value.fingerprint()};")
    elif isinstance(value, Record):
        out.append(type(value).__name__)
        out.append("(")
        for name in written_fields(type(value), version):
            write(getattr(value, name), out, version)
        out.append(")")
    elif isinstance(value, Enum):
        out.append(f"e{value.name};")
    elif isinstance(value, (list, tuple)):
        out.append("[")
        for item in value:
            write(item, out, version)
        out.append("]")
    elif isinstance(value, dict):
        _write_map(value, out, version)
    elif isinstance(value, bytes):
        out.append(f"b{value.hex()};")
    else:
        raise NotCanonical(f"expected a value of the state, found {type(value).__name__} {value!r:.80}")


def _write_map(value: dict[object, object], out: list[str], version: int) -> None:
    entries: list[tuple[str, object]] = []
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonical(f"expected text as key, found {type(key).__name__} {key!r:.80}")
        entries.append((key, item))
    entries.sort(key=_entry_key)
    out.append("{")
    for key, item in entries:
        write(key, out, version)
        write(item, out, version)
    out.append("}")


def _entry_key(entry: tuple[str, object]) -> str:
    return entry[0]
