"""What the venue did, line by line on disk, before it says so."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Recorded:
    """One request that was carried out; ``how`` says what the script did to it."""

    op: str
    cid: str
    how: str
    filled: str = "0"


class Record:
    """Appends, each line fsynced."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a")

    def add(self, line: Recorded) -> None:
        self._file.write(json.dumps(asdict(line)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_record(path: Path) -> list[Recorded]:
    return [Recorded(**json.loads(line)) for line in path.read_text().splitlines()]
