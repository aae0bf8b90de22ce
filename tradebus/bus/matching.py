"""Subjects and the patterns that subscriptions use."""

import re
from functools import lru_cache
from typing import Final

from tradebus.bus.errors import InvalidKey, InvalidSubject

_FORBIDDEN: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_KEY: Final = re.compile(r"[-/_=.a-zA-Z0-9]+", re.ASCII)
_CACHED_SUBJECTS: Final = 4096


@lru_cache(maxsize=_CACHED_SUBJECTS)
def checked_subject(subject: str) -> str:
    """Return a subject to publish on, unchanged. Raises InvalidSubject."""
    if not _is_well_formed(subject) or any(token in {"*", ">"} for token in subject.split(".")):
        raise InvalidSubject(subject)
    return subject


def checked_pattern(pattern: str) -> str:
    """Return a subject to subscribe to, unchanged: ``*`` stands for one token, a final ``>`` for one or more.

    Raises InvalidSubject.
    """
    tokens = pattern.split(".")
    misplaced = ">" in tokens[:-1] or any(len(token) > 1 and ("*" in token or ">" in token) for token in tokens)
    if not _is_well_formed(pattern) or misplaced:
        raise InvalidSubject(pattern)
    return pattern


def checked_key(bucket: str, key: str) -> str:
    """Return a key of a bucket, unchanged. Raises InvalidKey."""
    if _KEY.fullmatch(key) is None or not _is_well_formed(key):
        raise InvalidKey(bucket, key)
    return key


def subject_matches(pattern: str, subject: str) -> bool:
    """Whether a message on ``subject`` goes to a subscription to ``pattern``; both well formed."""
    if pattern == subject:
        return True
    wanted, found = pattern.split("."), subject.split(".")
    for position, part in enumerate(wanted):
        if part == ">":
            return len(found) > position
        if position >= len(found) or part not in {"*", found[position]}:
            return False
    return len(wanted) == len(found)


def covers(pattern: str, other: str) -> bool:
    """Whether ``pattern`` takes in every subject that ``other``, a subject or a pattern itself, stands for."""
    wide, narrow = pattern.split("."), other.split(".")
    for position, part in enumerate(wide):
        if part == ">":
            return len(narrow) > position
        if position >= len(narrow) or narrow[position] == ">" or part not in {"*", narrow[position]}:
            return False
    return len(wide) == len(narrow)


def _is_well_formed(subject: str) -> bool:
    return _FORBIDDEN.search(subject) is None and all(subject.split("."))
