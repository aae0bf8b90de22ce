"""Remember how the engine ended, on disk: one that crashes again and again starts halted.

The file says whether an engine runs, when it was found to have crashed, and whether it is halted. It is written before
the engine does anything and after its ordered stop; whatever ends it otherwise leaves it saying that it runs.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, final

FORMAT: Final = 1
NS_PER_S: Final = 1_000_000_000
CRASHES_KEPT: Final = 64


class CrashFileDamaged(Exception):
    """The file does not hold what was written; how the engine ended before is not known."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            f"{path}: expected a record of the engine's starts of format {FORMAT}, found {found}; "
            "remove the file when it is known why the engine ended"
        )
        self.path: Final = path


@dataclass(frozen=True, slots=True)
class Starts:
    """What the file holds; times are nanoseconds since the epoch, oldest first."""

    is_running: bool = False
    is_halted: bool = False
    crashes_ns: tuple[int, ...] = ()


@final
class CrashLatch:
    """The record of one engine. ``crashes_max`` crashes within ``window_s`` seconds halt it, until ``release``."""

    def __init__(self, path: Path, crashes_max: int, window_s: int) -> None:
        self._path: Final = path
        self._crashes_max: Final = crashes_max
        self._window_s: Final = window_s
        self._starts = Starts()

    @property
    def is_halted(self) -> bool:
        """Tell whether the engine must not trade until an operator says so."""
        return self._starts.is_halted

    @property
    def reason(self) -> str:
        """Return why, in words."""
        return f"crash loop: {len(self._starts.crashes_ns)} crashes, {self._crashes_max} within {self._window_s} s halt"

    def begin(self, now_ns: int) -> bool:
        """Take note of a start; return whether it is halted. Raises CrashFileDamaged, OSError."""
        before = self._read()
        crashes = [*before.crashes_ns, now_ns] if before.is_running else list(before.crashes_ns)
        # A clock that was set back makes crashes of the future; they count until the time is theirs again.
        recent = [time_ns for time_ns in crashes if now_ns - time_ns <= self._window_s * NS_PER_S]
        is_halted = before.is_halted or len(recent) >= self._crashes_max
        self._write(Starts(is_running=True, is_halted=is_halted, crashes_ns=tuple(recent[-CRASHES_KEPT:])))
        return is_halted

    def release(self) -> None:
        """Take note that an operator ended the halt: what crashed until now counts no more. Raises OSError."""
        if self._starts.is_halted:
            self._write(replace(self._starts, is_halted=False, crashes_ns=()))

    def end(self) -> None:
        """Take note of an ordered stop. Raises OSError."""
        self._write(replace(self._starts, is_running=False))

    def save(self) -> None:
        """Write again what could not be written. Raises OSError."""
        self._write(self._starts)

    def _read(self) -> Starts:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return Starts()
        try:
            data: dict[str, Any] = json.loads(text)
            if data["format"] != FORMAT:
                raise CrashFileDamaged(self._path, f"format {data['format']!r}")
            crashes = data["crashes_ns"]
            if not all(type(time_ns) is int for time_ns in crashes):
                raise CrashFileDamaged(self._path, f"crashes at {crashes!r}")
            return Starts(data["is_running"] is True, data["is_halted"] is True, tuple(crashes))
        except (ValueError, KeyError, TypeError) as error:
            raise CrashFileDamaged(self._path, repr(text[:80])) from error

    def _write(self, starts: Starts) -> None:
        """Replace the file: after a power cut it holds either the old record or the new one."""
        self._starts = starts
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("w") as file:
            json.dump({"format": FORMAT, **asdict(starts)}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
