"""Write configuration as TOML: the standard library only reads it."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def dump(data: Mapping[str, Any]) -> str:
    """Return a document that reads back as the same data. Keys with None are left out; Decimals are TOML numbers."""
    lines: list[str] = []
    _table(data, "", lines)
    return "\n".join(lines).strip() + "\n"


def _table(data: Mapping[str, Any], prefix: str, lines: list[str]) -> None:
    """Write plain values first, tables after them, so that no value falls into a table above it."""
    tables: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, Mapping) or _is_tables(value):
            tables.append((key, value))
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in tables:
        name = f"{prefix}{_key(key)}"
        if isinstance(value, Mapping):
            if not value or any(not isinstance(item, Mapping) for item in value.values()):
                lines += ["", f"[{name}]"]
            _table(value, f"{name}.", lines)
        else:
            for item in value:
                lines += ["", f"[[{name}]]"]
                _table(item, f"{name}.", lines)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: object) -> str:
    text = key.value if isinstance(key, Enum) else str(key)
    return text if _BARE_KEY.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char) or _printable(char) for char in text) + '"'


def _printable(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            text = format(value, "f")
            return text if "." in text else f"{text}.0"
        case Enum():
            return _text(str(value.value))
        case str() | Path():
            return _text(str(value))
        case list() | tuple():
            return f"[{', '.join(_value(item) for item in value)}]"
        case Mapping():
            given = {key: item for key, item in value.items() if item is not None}
            return "{" + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in given.items()) + "}"
        case _:
            raise TypeError(f"expected data that TOML can hold, found {type(value).__name__}")
