"""Keep the newest snapshots of accounts as files: whole or not at all, whenever the power goes."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from tradebus.crash_points import crash_point

KEPT_MAX: Final = 3
_SUFFIX: Final = ".snapshot"


@final
class SnapshotFiles:
    """The snapshots in one folder, three for each account; older ones go. Blocking: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def write(self, account: str, position: int, kept: bytes) -> Path:
        """Write a snapshot made behind message ``position`` of the audit journal, and return its file. Raises OSError.

        On return it is on disk, under its name.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{account}.{position:016d}{_SUFFIX}"
        # Another process that shares the volume may write the same one.
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(kept)
            file.flush()
            crash_point("files.before_sync")
            os.fsync(file.fileno())
        crash_point("files.before_rename")
        temporary.replace(path)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        for old in self.paths(account)[KEPT_MAX:]:
            old.unlink(missing_ok=True)
        return path

    def paths(self, account: str) -> list[Path]:
        """Return the files of an account, the newest first.

        By when they were written: positions begin anew where a journal does.
        """
        written: list[tuple[int, Path]] = []
        for path in self.folder.glob(f"{account}.*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process that shares the volume has removed it
                written.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(written, reverse=True)]
