"""The access log: who was refused what, and who changed the keys. JSON lines, in files of bounded size."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.api.access.caller import AccessDenied, Caller

FILE_BYTES_MAX: Final = 4_194_304
FILES_KEPT: Final = 4
"""Older ones beside the newest: `access.jsonl`, `access.1.jsonl` and so on."""

_SHOWN_MAX: Final = 200


@final
class AccessLog:
    """Writes to a file and to the service's log. A file that cannot be written is said in the log, once per trouble."""

    def __init__(self, path: Path, log: BoundLogger, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.path: Final = path
        self._log: Final = log
        self._now_ns: Final = now_ns
        self._bytes: int | None = None
        self._trouble = ""

    def denied(self, denied: AccessDenied, caller: Caller | None, address: str, what: str) -> None:
        """Note that a request was refused: by whom, from where, what it was and why."""
        self._note("denied", caller, address, what, code=denied.denial.value, why=denied.detail)

    def changed(self, caller: Caller, what: str) -> None:
        """Note what somebody did to the keys."""
        self._note("keys", caller, caller.address, what)

    def _note(self, kind: str, caller: Caller | None, address: str, what: str, **more: str) -> None:
        entry: dict[str, object] = {
            "time_ns": self._now_ns(),
            "kind": kind,
            "who": None if caller is None else caller.name,
            "key": None if caller is None else caller.key_id,
            "role": None if caller is None else caller.role.value,
            "address": address,
            "what": what[:_SHOWN_MAX],
            **more,
        }
        log = self._log.info if kind == "keys" else self._log.warning
        log("access", **{name: value for name, value in entry.items() if name != "time_ns"})
        line = json.dumps(entry, ensure_ascii=True).encode() + b"\n"
        try:
            self._write(line)
        except OSError as error:
            trouble = f"{self.path}: {error.strerror}"
            if trouble != self._trouble:
                self._log.error("the access log cannot be written", reason=trouble)
            self._trouble = trouble
        else:
            self._trouble = ""

    def _write(self, line: bytes) -> None:
        if self._bytes is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._bytes = self.path.stat().st_size if self.path.exists() else 0
        if self._bytes + len(line) > FILE_BYTES_MAX:
            self._rotate()
        with os.fdopen(os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as file:
            file.write(line)
        self._bytes += len(line)

    def _rotate(self) -> None:
        for number in range(FILES_KEPT - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        if self.path.exists():
            self.path.replace(self._numbered(1))
        self._bytes = 0

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")
