"""Log files of the children: bounded on disk, and their last lines in words for a person."""

import json
import os
import shutil
from pathlib import Path
from typing import Final

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
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin if begin <= size else 0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [_in_words(line) for line in text.splitlines()[-lines:]]


def _in_words(line: str) -> str:
    """Return `error: could not start` and the like for a JSON log line, any other line as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    rest = {key: value for key, value in entry.items() if key not in _NOT_SHOWN}
    details = ", ".join(f"{key}={value}" for key, value in rest.items() if key != "exception")
    raised = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    parts = [f"{entry.get('level', 'log')}: {entry['event']}", details, raised]
    return " | ".join(part for part in parts if part)


_NOT_SHOWN: Final = frozenset({"time", "level", "service", "instance", "mode", "event"})
