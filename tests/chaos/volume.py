"""A small volume of its own for a folder, which a test fills up and frees: a tmpfs, as small as it is told."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
STEP_BYTES = 64 * 1024


class MountRefused(Exception):
    """This machine does not let us mount; the message is what `mount` said."""


class Volume:
    """A mounted folder. ``fill`` leaves no byte of it free."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take everything that is free, in smaller and smaller pieces."""
        piece = STEP_BYTES
        with self._ballast.open("ab", buffering=0) as file:
            while piece:
                try:
                    piece = min(piece, file.write(bytes(piece)))
                except OSError:
                    piece //= 2

    def free(self) -> None:
        """Give back what was taken."""
        self._ballast.unlink()


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[Volume]:
    """Mount a volume at a folder for as long as the block runs. Raises MountRefused."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise MountRefused(f"{' '.join(command)}: {done.stderr.strip()}")
    try:
        yield Volume(folder)
    finally:
        # Lazy: what is still open there ends with whoever has it open.
        subprocess.run(["umount", "-l", str(folder)], check=True)
