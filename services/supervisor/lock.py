"""One supervisor per data folder: a lock that the kernel releases, and a note of who holds it."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self, final

_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs in a data folder."""

    pid: int
    mode: str
    api_url: str
    started_ns: int


class AlreadyRunning(Exception):
    """Another supervisor runs in this folder."""

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        who = "" if holder is None else f" (process {holder.pid}, mode {holder.mode}, {holder.api_url})"
        super().__init__(f"Tradebus is already running in {folder}{who}. `make down` stops it.")
        self.folder: Final = folder
        self.holder: Final = holder


@final
class RunLock:
    """Held while a supervisor runs; gone when its process is, however it ended."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._path: Final = folder / "up.lock"
        self._file: int | None = None

    def acquire(self, holder: Holder) -> Self:
        """Take the lock and note who has it. Raises AlreadyRunning."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise AlreadyRunning(self._folder, self.holder()) from None
        os.truncate(file, 0)
        os.pwrite(file, json.dumps(asdict(holder)).encode(), 0)
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def holder(self) -> Holder | None:
        """Return what is noted of the holder, None when nothing (readable) is."""
        try:
            note: Any = json.loads(self._path.read_bytes())
            return Holder(**note)
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def is_held(self) -> bool:
        """Whether a living process holds the lock."""
        try:
            file = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def wait_released(self, timeout_s: float) -> bool:
        """Block until nobody holds the lock; return False when that took too long."""
        deadline = time.monotonic() + timeout_s
        while self.is_held():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True
