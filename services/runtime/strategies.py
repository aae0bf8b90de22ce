"""Make users' strategies importable, for the engine that runs them and for whoever must know what they remember."""

import sys
from pathlib import Path


def add_strategies_folder(folder: Path) -> None:
    """Put the folder of users' strategies at the end of the import path, where it exists; safe to repeat."""
    path = str(folder.resolve())
    if folder.is_dir() and path not in sys.path:
        sys.path.append(path)
