"""Turn results into what JSON can hold, and into JSON: numbers as decimal text, times as integers.

Records become objects in the order of their fields, enums their lower-case names, infinite ratios ``Infinity``.
"""

import json
from decimal import Decimal
from enum import Enum

from tradebus.core.model.number import decimal_text
from tradebus.core.model.record import Record, field_names
from tradebus.core.statistics.scaling import is_infinite


def to_plain(value: object) -> object:
    """Return a value of records, maps and lists as dicts, lists, text, ints, bools and None; TypeError for others."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        if is_infinite(value):
            return "Infinity" if value > 0 else "-Infinity"
        return decimal_text(value)
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, Record):
        return {name: to_plain(getattr(value, name)) for name in field_names(type(value))}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    raise TypeError(f"expected a value of a result, found {type(value).__name__} {value!r:.80}")


def to_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON, fields in their order, maps in theirs; equal values give equal text."""
    return json.dumps(to_plain(value), ensure_ascii=False, indent=indent)
