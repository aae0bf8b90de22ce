"""Name the code that decides what a journal means: another name, and recovery has to say what it gives."""

from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tradebus

PARTS = ("core", "strategies")
"""Folders of the library that decide on state; the rest only carries it."""


def code_version(users_folder: Path) -> str:
    """Return the library's version and a hash of the source of its core, its strategies and the users' own."""
    digest = _library().copy()
    _add(digest, users_folder)
    return f"tradebus {_version()} {digest.hexdigest()}"


@cache
def _library() -> blake2b:
    """Return the hash so far; a process runs what it has loaded, whatever becomes of the files."""
    digest = blake2b(digest_size=8)
    for part in PARTS:
        _add(digest, Path(tradebus.__file__).parent / part)
    return digest


def _add(digest: blake2b, folder: Path) -> None:
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())


def _version() -> str:
    try:
        return version("tradebus")
    except PackageNotFoundError:
        return "(not installed)"
