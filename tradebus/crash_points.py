"""Named places in the services where a test can make the process die as by a power switch.

Nothing happens at any of them unless the environment variable ``CRASH_AT`` is set:

- ``CRASH_AT=engine.before_publish:3`` kills the process with SIGKILL when it comes to that place for the third time;
- ``CRASH_AT=@/path/of/a/file`` looks into the file each time instead. While there is one that holds ``name:nth``,
  visits of that place are counted from then on; at the nth the file is removed and the process killed. So the program
  that runs the services chooses, one crash after another, and the process that is started again does not die at once.
"""

import os
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, final

VARIABLE: Final = "CRASH_AT"

POINTS: Final = (
    # The engine's journal: a batch is sealed; it is stored, and we are about to believe it; its acknowledgement is
    # taken note of, and nothing that it explains has left yet.
    "engine.before_publish",
    "engine.after_publish",
    "engine.after_acknowledgement",
    # At a start, a batch of the journal is read and not applied.
    "engine.mid_replay",
    # An account's journal, likewise; a tick is folded, its events are not yet put into the journal; the record by which
    # an account is taken is on disk.
    "execution.before_append",
    "execution.after_append",
    "execution.mid_fold",
    "execution.on_ownership",
    # A batch is folded into the replica, and nothing was told of it yet.
    "audit.mid_fold",
    # Batches are read and not in the archive; they are in it and synced, and nobody was told; a checkpoint is written,
    # and older ones that it makes superfluous are still there.
    "audit.before_archive",
    "audit.after_archive",
    "audit.after_checkpoint",
    # A snapshot or a checkpoint, of whichever service, is written and not synced; it is synced and has no name yet.
    "files.before_sync",
    "files.before_rename",
    # A batch of market data is numbered and not sent.
    "market.mid_batch",
)

VENUE_POINTS: Final = (
    # The owner of a venue's account: a request's intent is on disk; it is about to be sent; it was answered, and
    # nothing of that is journaled; what became of one in doubt is being found out.
    "execution.after_intent",
    "execution.before_send",
    "execution.after_answer",
    "execution.mid_resolve",
)
"""Places that only an owner of venue accounts comes to."""

_KNOWN: Final = POINTS + VENUE_POINTS


class UnknownCrashPoint(ValueError):
    """A wrong ``CRASH_AT``, or a place that is not in the list."""


class CrashPlan(ABC):
    """Decides at which visit the process dies."""

    @abstractmethod
    def visit(self, name: str) -> None:
        """Take note of a visit; does not return from the fatal one."""


@final
class NthVisit(CrashPlan):
    """Dies at the nth visit of one place."""

    def __init__(self, name: str, nth: int) -> None:
        self._name: Final = name
        self._left = nth

    def visit(self, name: str) -> None:
        """Count."""
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                _die()


@final
class PlanFile(CrashPlan):
    """Dies at the visit that a file names, having removed the file."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._text = ""
        self._left = 0

    def visit(self, name: str) -> None:
        """Look into the file, and count."""
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            self._text = ""
            return
        if text != self._text:
            self._text = text
            self._left = parse(text)[1]
        if text and parse(text)[0] == name:
            self._left -= 1
            if self._left == 0:
                self._path.unlink()
                _die()


def parse(text: str) -> tuple[str, int]:
    """Return place and number of the visit in ``name:nth``. Raises UnknownCrashPoint."""
    name, _, nth = text.strip().rpartition(":")
    if name not in _KNOWN or not nth.isdecimal() or int(nth) < 1:
        known = ", ".join(_KNOWN)
        raise UnknownCrashPoint(f"{VARIABLE}: expected name:nth with nth from 1 and one of {known}; found {text!r}")
    return name, int(nth)


def plan_of(text: str | None) -> CrashPlan | None:
    """Return what a value of ``CRASH_AT`` asks for, None for nothing. Raises UnknownCrashPoint."""
    if not text:
        return None
    return PlanFile(Path(text[1:])) if text.startswith("@") else NthVisit(*parse(text))


def crash_point(name: str) -> None:
    """Mark one of the places."""
    if _plan is not None:
        if name not in _KNOWN:
            raise UnknownCrashPoint(f"expected one of {', '.join(_KNOWN)}; found {name!r}")
        _plan.visit(name)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


_plan: Final = plan_of(os.environ.get(VARIABLE))
