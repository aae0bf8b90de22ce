"""A system in the background: started by `--detach`, found again and stopped by `--stop`."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

from services.supervisor.foreground import STATE_FILE, SUMMARY_FILE
from services.supervisor.lock import AlreadyRunning, RunLock
from services.supervisor.summary import Summary
from tradebus.config import ExitCode

_POLL_S: Final = 0.05
_START_TIMEOUT_S: Final = 90.0
_STOP_TIMEOUT_S: Final = 120.0
_left_running: Final[list[subprocess.Popen[bytes]]] = []


def start(data_dir: Path, command: Sequence[str], out: TextIO) -> int:
    """Run `command`, a supervisor in the foreground, in a session of its own, and leave it running once it is ready.

    What it says until then goes to `out`, afterwards only to `logs/up.log`.

    Returns its exit code when it ends before that; 6 when it runs but is not ready in time.
    """
    lock = RunLock(data_dir)
    if lock.is_held():
        print(AlreadyRunning(data_dir, lock.holder()), file=out)
        return ExitCode.FAILURE
    log_file = data_dir / "logs" / "up.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    # It outlives us on purpose; without a reference Python would complain of that.
    _left_running.append(process)
    deadline = time.monotonic() + _START_TIMEOUT_S
    with log_file.open() as said:
        while True:
            state, ended = _state(data_dir, process.pid), process.poll()
            out.write(said.read())
            out.flush()
            if ended is not None:
                return ended
            if state == "ready":
                print(f"tradebus   in the background, process {process.pid}; `make down` stops it", file=out)
                return ExitCode.OK
            if state == "not ready" or time.monotonic() >= deadline:
                print(f"tradebus   in the background, process {process.pid}, not ready yet: {log_file}", file=out)
                return ExitCode.TIMED_OUT
            time.sleep(_POLL_S)


def stop(data_dir: Path, out: TextIO) -> int:
    """Stop what runs in `data_dir`, wait until it has, and print its summary."""
    lock = RunLock(data_dir)
    holder = lock.holder()
    if not lock.is_held() or holder is None:
        print(f"tradebus   nothing is running in {data_dir}", file=out)
        return ExitCode.OK
    print(f"tradebus   stopping process {holder.pid}", file=out, flush=True)
    with suppress(ProcessLookupError):
        os.kill(holder.pid, signal.SIGTERM)
    if not lock.wait_released(_STOP_TIMEOUT_S):
        print(f"tradebus   process {holder.pid} has not stopped within {_STOP_TIMEOUT_S:g} s", file=out)
        return ExitCode.TIMED_OUT
    summary = _summary(data_dir, holder.started_ns)
    print(f"summary    {summary.words}" if summary else "tradebus   stopped", file=out)
    return ExitCode.OK


def _state(data_dir: Path, pid: int) -> str:
    """Return what the process noted of itself, an empty text before it has."""
    note = _read(data_dir / STATE_FILE)
    return str(note["state"]) if note is not None and note.get("pid") == pid else ""


def _summary(data_dir: Path, started_ns: int) -> Summary | None:
    """Return the summary of the run that began at `started_ns`; an older one is not its own."""
    path = data_dir / SUMMARY_FILE
    note = _read(path)
    return Summary(**note) if note is not None and path.stat().st_mtime_ns >= started_ns else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return note if isinstance(note, dict) else None
