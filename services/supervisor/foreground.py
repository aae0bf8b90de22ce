"""Run a system in the foreground until Ctrl-C, SIGTERM or a failure that cannot be helped."""

import asyncio
import json
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from services.supervisor.lock import AlreadyRunning
from services.supervisor.progress import Progress
from services.supervisor.supervisor import NotReady, Supervisor, SupervisorError
from tradebus.config import ExitCode, Mode, Settings

STATE_FILE: Final = Path("run/state.json")
SUMMARY_FILE: Final = Path("run/summary.json")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(supervisor: Supervisor, progress: Progress) -> int:
    """Start, say what is up, wait, stop in order, print the summary; return the exit code.

    A second signal ends everything at once. Not being ready in time (no network in mode paper, say) is told and
    waited for: services reconnect by themselves.
    """
    asked = _asked_to_stop(supervisor, progress)
    code = ExitCode.OK
    try:
        await _until(supervisor.start(), asked)
        _note(supervisor.data_dir / STATE_FILE, {"pid": os.getpid(), "state": "starting"})
        if not asked.done():
            await _until(_become_ready(supervisor, progress), asked)
        if not asked.done():
            await _until(supervisor.wait(), asked)
    except AlreadyRunning as error:
        progress.warn("tradebus", "refused", str(error))
        return ExitCode.FAILURE
    except SupervisorError as error:
        for line in str(error).splitlines():
            progress.warn("tradebus", "failed", line)
        code = ExitCode.FAILURE
    if asked.done():
        progress.tell("tradebus", "stopping", f"{asked.result()}; again to end at once")
    summary = await supervisor.stop()
    if summary.seconds:
        progress.tell("summary", summary.words)
        _note(supervisor.data_dir / SUMMARY_FILE, summary.as_data())
    return code


async def _become_ready(supervisor: Supervisor, progress: Progress) -> None:
    state, settings = "ready", supervisor.settings
    try:
        await supervisor.wait_ready()
    except NotReady as error:
        progress.warn("tradebus", "waiting", str(error))
        state = "not ready"
    progress.tell(
        "tradebus", "up", f"mode {_mode(settings)}, {supervisor.api_url}, data and logs in {_shown(supervisor)}"
    )
    _note(supervisor.data_dir / STATE_FILE, {"pid": os.getpid(), "state": state})


def _mode(settings: Settings) -> str:
    return "LIVE" if settings.mode is Mode.LIVE else settings.mode.value


def _shown(supervisor: Supervisor) -> str:
    """Return the data folder as a person would name it: relative to where they are, if it is below."""
    folder = supervisor.data_dir
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def _note(path: Path, data: dict[str, object]) -> None:
    """Write a small file for `--detach` and `--stop`, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(data))
    draft.replace(path)


def _asked_to_stop(supervisor: Supervisor, progress: Progress) -> "asyncio.Future[str]":
    """Return a future that the first signal fulfils; the second ends the process and everything it started."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[str] = loop.create_future()

    def received(which: signal.Signals) -> None:
        if not asked.done():
            asked.set_result(which.name)
            return
        progress.warn("tradebus", "killed", "second signal, everything ended at once")
        supervisor.kill_all()
        os._exit(128 + which)

    for which in _SIGNALS:
        loop.add_signal_handler(which, received, which)
    return asked


async def _until(work: Coroutine[Any, Any, None], asked: "asyncio.Future[str]") -> None:
    """Await `work` unless asked to stop first; then it is cancelled. Raises what it raises."""
    task = asyncio.create_task(work)
    either: list[asyncio.Future[Any]] = [task, asked]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return
    await task
