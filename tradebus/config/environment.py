"""Environment variables and `--set` flags as paths and values of the configuration."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from tradebus.config.keypath import KeyPath
from tradebus.config.problem import Problem, one_of, shown

OURS: Final = "TRADEBUS_"
PREFIX: Final = "TRADEBUS__"
CONFIG: Final = "TRADEBUS_CONFIG"
MODE: Final = "TRADEBUS_MODE"
RECORDING: Final = "TRADEBUS_RECORDING"
ALLOW_LIVE: Final = "TRADEBUS_ALLOW_LIVE"
SHORT_NAMES: Final = (CONFIG, MODE, RECORDING, ALLOW_LIVE)
_SHORT_WORDS: Final = tuple(name.removeprefix(OURS) for name in SHORT_NAMES)

_YES: Final = frozenset({"yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})
_OPEN_TABLES: Final = frozenset({"params", "strategy_params", "risk_params"})
"""Tables whose values have no type of their own: text there is read as TOML."""


class BadText(ValueError):
    """Text that does not hold the list or table it begins like."""


def typed(path: KeyPath, text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return the value that `text` means at `path`: a list or table as JSON or TOML, otherwise the text itself.

    Raises BadText when it begins like a list or a table and is none.
    """
    stripped = text.strip()
    if stripped[:1] in {"[", "{"}:
        try:
            return json.loads(stripped, parse_float=Decimal)
        except ValueError:
            value = _toml(stripped)
            if value is None:
                raise BadText("a list or table in JSON or TOML") from None
            return value
    if _OPEN_TABLES & set(path[:-1]):
        value = _toml(stripped)
        return text if value is None else value
    return text


def assignments(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[KeyPath, Any, str]]:
    """Yield path, value and variable name of every setting in the environment, in name order.

    Empty variables count as unset: Compose passes them on that way. What cannot be read goes to `problems`.
    """
    for name, text in sorted(environ.items()):
        if not name.startswith(OURS) or not text.strip():
            continue
        if name.startswith(PREFIX):
            yield from _long(name, text, problems)
        elif name in SHORT_NAMES:
            yield from _short(name, text, problems)
        elif close := get_close_matches(name.removeprefix(OURS), _SHORT_WORDS, n=1, cutoff=0.7):
            # Other TRADEBUS_ variables belong to Compose and the Makefile; one this close to ours is a slip.
            problems.append(Problem(name, "", one_of(SHORT_NAMES), f"`{name}`", f"Did you mean `{OURS}{close[0]}`?"))


def _long(name: str, text: str, problems: list[Problem]) -> Iterator[tuple[KeyPath, Any, str]]:
    path: KeyPath = tuple(name.removeprefix(PREFIX).lower().split("__"))
    if not all(path):
        problems.append(Problem(name, "", f"{PREFIX}SECTION__KEY", f"`{name}`"))
        return
    if path == ("allow_live",):
        problems.append(Problem(name, "allow_live", f"{ALLOW_LIVE}, the only place for this switch", f"`{name}`"))
        return
    try:
        yield path, typed(path, text), name
    except BadText as error:
        problems.append(Problem(name, "", str(error), shown(text)))


def _short(name: str, text: str, problems: list[Problem]) -> Iterator[tuple[KeyPath, Any, str]]:
    if name == MODE:
        yield ("mode",), text.strip(), name
    elif name == RECORDING:
        yield ("recording",), [part for part in text.split(os.pathsep) if part.strip()], name
    elif name == ALLOW_LIVE:
        if text.strip().lower() in _YES | _NO:
            yield ("allow_live",), text.strip().lower() in _YES, name
        else:
            problems.append(Problem(name, "allow_live", "`yes` or `no`", shown(text)))


def _toml(text: str) -> Any:  # noqa: ANN401 - whatever the text says
    """Return the TOML value in `text`, or None when it is not exactly one value."""
    try:
        parsed = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except tomllib.TOMLDecodeError:
        return None
    return parsed["value"] if parsed.keys() == {"value"} else None
