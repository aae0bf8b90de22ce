"""Log files of the children: bounded on disk, and their last lines in words for a person."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

LOG_BYTES_MAX: Final = 32 * 1024 * 1024
_TAIL_BYTES: Final = 16_384


def rotate(path: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move the content of a log above `bytes_max` to `<name>.1` and tell whether that happened.

    The file is copied and cut, not renamed: its writer keeps it open for appending. A line written in between the
    two is lost from the log, nothing else.
    """
    if not path.exists() or path.stat().st_size <= bytes_max:
        return False
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int, begin: int = 0) -> list[str]:
    """Return the last lines written after byte `begin`, JSON ones put in words."""
    return [_in_words(line) for line in _last_lines(path, begin)[-lines:]]


def last_error(path: Path, begin: int = 0) -> str:
    """Return in words what was logged last as an error after byte `begin`; else the very last line, empty for none.

    A service logs on while it stops, so what ended it is seldom its last word; an interpreter's is.
    """
    lines = _last_lines(path, begin)
    errors = [line for line in lines if str(_entry_of(line).get("level")) in _ERRORS]
    return _in_words((errors or lines or [""])[-1])


def _last_lines(path: Path, begin: int) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin if begin <= size else 0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()


def _entry_of(line: str) -> dict[str, Any]:
    """Return what a JSON log line holds, nothing for any other line."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) and "event" in entry else {}


def _in_words(line: str) -> str:
    """Return `error: could not start` and the like for a JSON log line, any other line as it is."""
    entry = _entry_of(line)
    if not entry:
        return line
    rest = {key: value for key, value in entry.items() if key not in _NOT_SHOWN}
    details = ", ".join(f"{key}={value}" for key, value in rest.items() if key != "exception")
    raised = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    parts = [f"{entry.get('level', 'log')}: {entry['event']}", details, raised]
    return " | ".join(part for part in parts if part)


_ERRORS: Final = frozenset({"error", "critical"})
_NOT_SHOWN: Final = frozenset({"time", "level", "service", "instance", "mode", "event"})
