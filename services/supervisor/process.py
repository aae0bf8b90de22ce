"""One child process: its own session and log file, stopped by signal and, in the end, by force."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

_LAUNCHER: Final = Path(__file__).with_name("launch.py")


@final
class Child:
    """A program that was started; every start makes a new one."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log_file: Path, log_begin: int) -> None:
        self.name: Final = name
        self.log_file: Final = log_file
        self.log_begin: Final = log_begin
        """Size of the log file when the program began."""
        self.started_s: Final = asyncio.get_running_loop().time()
        self._process: Final = process

    @classmethod
    async def spawn(
        cls, name: str, argv: Sequence[str], environment: Mapping[str, str], folder: Path, log_file: Path
    ) -> "Child":
        """Start a program in `folder`, output appended to `log_file`.

        A session of its own keeps the terminal's Ctrl-C away; the launcher makes it end with us.
        """
        log_file.parent.mkdir(parents=True, exist_ok=True)
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        with log_file.open("ab") as log:
            begin = log.tell()
            process = await asyncio.create_subprocess_exec(
                *launcher,
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        return cls(name, process, log_file, begin)

    @property
    def pid(self) -> int:
        """The process id, also of its group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Return the exit status when the program has ended."""
        return await self._process.wait()

    def signal(self, which: signal.Signals) -> None:
        """Send a signal to the program; nothing happens when it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(which)

    async def stop(self, timeout_s: float) -> bool:
        """Ask the program to stop, wait, kill it when it does not; return whether it stopped by itself."""
        self.signal(signal.SIGTERM)
        # A program that something has frozen could not even hear us.
        self.signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(timeout_s):
                await self.wait()
        except TimeoutError:
            await self.kill()
            return False
        self.kill_now()
        return True

    async def kill(self) -> int:
        """Kill the program and whatever it started, and return its exit status."""
        self.kill_now()
        return await self.wait()

    def kill_now(self) -> None:
        """Kill the program and whatever it started or left behind in its session, without waiting."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def exit_words(status: int) -> str:
    """Return `exit status 1` or `killed by SIGKILL`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
