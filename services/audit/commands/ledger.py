"""Remember which commands were taken, on disk, before they are sent: a key is used for one command, also after a crash.

A line of JSON each, appended and fsynced. A crash can tear the last line only; its command was never sent.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, final

from services.audit.commands.errors import TooMany
from tradebus.journal.archive.durable import replace_file, sync_folder

KEPT_NS: Final = 24 * 3_600_000_000_000
"""A key is remembered for a day."""

ENTRIES_MAX: Final = 10_000
NS_PER_S: Final = 1_000_000_000


class LedgerDamaged(Exception):
    """A line that is not the last one cannot be read; says which."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A command that was taken. ``time_ns`` is when, ``expiry_ns`` until when it may be applied, since the epoch.

    ``digest`` is of what was asked for; ``origin`` goes into the journal. ``run`` names the engine's run that it was
    taken for; entries of earlier versions have none.
    """

    id: str
    kind: str
    digest: str
    origin: str
    time_ns: int
    expiry_ns: int
    run: str = ""


@final
class Ledger:
    """The commands of a day, at most ``entries_max``, oldest first. Without a file it forgets them with the process."""

    def __init__(
        self, path: Path | None, clock: Callable[[], int] = time.time_ns, entries_max: int = ENTRIES_MAX
    ) -> None:
        self._path: Final = path
        self._clock: Final = clock
        self._entries_max: Final = entries_max
        self._entries: Final[dict[str, Taken]] = {}
        self._lines = 0

    def open(self) -> None:
        """Read what an earlier process took; raises LedgerDamaged, OSError."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = self._path.read_bytes() if self._path.exists() else b""
        whole, _, _torn = content.rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), 1):
            taken = _read(line, self._path, number)
            self._entries[taken.id] = taken
        self._forget()
        self._rewrite()

    def get(self, command_id: str) -> Taken | None:
        """Return a command that was taken, none if it was not or was forgotten."""
        return self._entries.get(command_id)

    def add(self, taken: Taken) -> None:
        """Keep a command; on return it is on disk. Raises TooMany, OSError, and then it was not taken."""
        self._forget()
        if len(self._entries) >= self._entries_max:
            self._make_room()
        if self._path is not None:
            self._append(taken)
        self._entries[taken.id] = taken

    def _append(self, taken: Taken) -> None:
        assert self._path is not None
        if self._lines >= 2 * self._entries_max:
            self._rewrite()
        with self._path.open("ab") as file:
            end = file.tell()
            try:
                file.write(_line(taken))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                # What may be half there must not stand before the next one.
                os.truncate(self._path, end)
                raise
        self._lines += 1

    def _forget(self) -> None:
        """Forget the commands of yesterday, from the oldest on."""
        before_ns = self._clock() - KEPT_NS
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if oldest.time_ns >= before_ns:
                return
            del self._entries[oldest.id]

    def _make_room(self) -> None:
        """Forget the oldest, which is safe once it has expired: nothing sends it again, and nobody applies it."""
        oldest = next(iter(self._entries.values()))
        now_ns = self._clock()
        if oldest.expiry_ns >= now_ns:
            raise TooMany(len(self._entries), (oldest.expiry_ns - now_ns) // NS_PER_S + 1)
        del self._entries[oldest.id]

    def _rewrite(self) -> None:
        """Write the file anew, with what is remembered and nothing else."""
        assert self._path is not None
        replace_file(self._path, b"".join(_line(taken) for taken in self._entries.values()))
        sync_folder(self._path.parent)
        self._lines = len(self._entries)


def _line(taken: Taken) -> bytes:
    return json.dumps(asdict(taken), separators=(",", ":")).encode() + b"\n"


def _read(line: bytes, path: Path, number: int) -> Taken:
    try:
        return Taken(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(f"{path}, line {number}: expected a command that was taken, found {error}") from error
