"""Find the vectors of the reference and read their cases.

They lie in ``tests/conformance/vectors``; ``CONFORMANCE_VECTORS`` names another directory of the same layout, whose
cases may have other ids and other values.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "CONFORMANCE_VECTORS"
OURS = Path(__file__).resolve().parent.parent / "vectors"
FOLDERS = ("engine", "execution", "instruments")
UNGROUPED = "cases"


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the file relative to the vectors, its group (``cases`` where a file has none), and what it says."""

    file: str
    group: str
    id: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file.removesuffix('.json')}:{self.group}:{self.id}"


def directory() -> Path:
    """Return where the vectors are read from."""
    named = os.environ.get(VARIABLE, "")
    found = Path(named) if named else OURS
    if not any((found / folder).is_dir() for folder in FOLDERS):
        raise FileNotFoundError(f"{VARIABLE}={named}: expected one of the folders {FOLDERS} in {found}")
    return found


def is_own() -> bool:
    """Tell whether the vectors of this repository are read."""
    return directory().resolve() == OURS


def cases() -> list[Case]:
    """Return all cases of all files, in the order of file names and of the files."""
    where = directory()
    found: list[Case] = []
    for folder in FOLDERS:
        for path in sorted((where / folder).glob("*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            groups = content["groups"] if "groups" in content else {UNGROUPED: content["cases"]}
            for group, items in groups.items():
                for i, item in enumerate(items):
                    found.append(Case(f"{folder}/{path.name}", group, str(item.get("id", i)), item))
    return found
