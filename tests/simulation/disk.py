"""The disk of simulated processes: real files, of which a loss of power takes what was not synced.

What a file held at its last ``fsync`` stays, and of what was written since, a part from the beginning. A name stays
once its folder was synced; of one that was made, replaced or removed since, either may be found. Folders themselves
stay. Files that a killed process had open are closed, and its locks with them, as the kernel does.
"""

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final
from unittest.mock import patch

from tests.simulation.processes import Process, current

_fsync = os.fsync
_open = os.open
_close = os.close


@final
class Disk:
    """Everything below one folder."""

    def __init__(self, root: Path) -> None:
        self._root: Final = root.resolve()
        # By inode: what a file held when it was synced. Each is kept open, so that its number is not given again.
        self._synced: Final[dict[int, bytes]] = {}
        self._kept: Final[list[int]] = []
        # By folder: the names in it when it was synced, with their inodes.
        self._names: Final[dict[Path, dict[str, int]]] = {}
        self._opened: Final[dict[int, Process]] = {}
        self._closed: Final[set[int]] = set()
        self.syncs = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take note of what is opened and synced until the block ends."""
        try:
            with (
                patch.object(os, "fsync", self.on_fsync),
                patch.object(os, "open", self._on_open),
                patch.object(os, "close", self._on_close),
            ):
                yield
        finally:
            for descriptor in [*self._kept, *self._opened]:
                _close(descriptor)

    def close_of(self, process: Process) -> None:
        """Close what a killed process had open."""
        for descriptor in [each for each, owner in self._opened.items() if owner is process]:
            del self._opened[descriptor]
            # Its number must not be given to another one while code of the dead process could still close it.
            null = _open(os.devnull, os.O_RDONLY)
            os.dup2(null, descriptor)
            _close(null)
            self._kept.append(descriptor)
            self._closed.add(descriptor)

    def lose_power(self, draw: random.Random) -> int:
        """Lose what was not synced; return how many files are other than they were."""
        changed = 0
        for text, _, files in sorted(os.walk(self._root)):
            folder = Path(text)
            now = {name: (folder / name).stat().st_ino for name in files}
            before = self._names.get(folder, {})
            for name in sorted({*now, *before}):
                if before.get(name) is None and name not in now:
                    continue
                changed += self._settle(folder / name, now.get(name), before.get(name), draw)
            self._names[folder] = {entry.name: entry.inode() for entry in os.scandir(folder) if entry.is_file()}
        return changed

    def _settle(self, path: Path, now: int | None, before: int | None, draw: random.Random) -> bool:
        """Leave at a name what is found there after the loss; tell whether that is something else."""
        found = now if now == before or draw.random() < 0.5 else before
        if found is None:
            path.unlink(missing_ok=True)
            return now is not None
        content = self._synced.get(found, b"")
        if found == now:
            written = path.read_bytes()
            if written.startswith(content):
                tail = written[len(content) :]
                content += tail[: draw.randint(0, len(tail))]
            if content == written:
                self._note(path, content)
                return False
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        self._note(path, content)
        return True

    def _note(self, path: Path, content: bytes) -> None:
        descriptor = _open(path, os.O_RDONLY)
        self._kept.append(descriptor)
        self._synced[os.fstat(descriptor).st_ino] = content

    def on_fsync(self, descriptor: int) -> None:
        """Take note of what a file, or the names in a folder, are now."""
        status = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self._root):
            _fsync(descriptor)
            return
        self.syncs += 1
        if stat.S_ISDIR(status.st_mode):
            self._names[path] = {entry.name: entry.inode() for entry in os.scandir(path) if entry.is_file()}
            return
        if status.st_ino not in self._synced:
            self._kept.append(os.dup(descriptor))
        self._synced[status.st_ino] = path.read_bytes()

    def _on_open(self, path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        descriptor = _open(path, flags, mode, **options)
        process = current()
        if process is not None:
            self._opened[descriptor] = process
        return descriptor

    def _on_close(self, descriptor: int) -> None:
        if descriptor in self._closed:
            return
        self._opened.pop(descriptor, None)
        _close(descriptor)
