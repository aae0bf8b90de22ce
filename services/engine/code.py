"""Name the code that decides what a journal means: another name, and recovery has to say what it gives."""

from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tradebus

PARTS = ("core", "strategies")
"""Folders of the library that decide on state; the rest only carries it."""


def code_version(users_folder: Path) -> str:
    """Return the library's version and a hash of the source of its core, its strategies and the users' own."""
    digest = blake2b(digest_size=8)
    library = Path(tradebus.__file__).parent
    for folder in [*(library / part for part in PARTS), users_folder]:
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{path.relative_to(folder)}\n".encode())
            digest.update(path.read_bytes())
    return f"tradebus {_version()} {digest.hexdigest()}"


def _version() -> str:
    try:
        return version("tradebus")
    except PackageNotFoundError:
        return "(not installed)"
