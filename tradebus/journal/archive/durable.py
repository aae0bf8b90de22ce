"""Make what was written stay: files replaced in one step, names that survive a power cut."""

import os
from pathlib import Path

from tradebus.crash_points import crash_point


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new file can be gone after a power cut although its bytes were synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that there is the whole of it or what was there before, whatever happens. Raises OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        crash_point("files.before_sync")
        os.fsync(file.fileno())
    crash_point("files.before_rename")
    temporary.replace(path)
    sync_folder(path.parent)
