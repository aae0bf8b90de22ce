"""Keeps one program running: starts it, notices its end, starts it again or gives up."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, final

from services.supervisor.catalogue import Program
from services.supervisor.logfiles import last_error, tail
from services.supervisor.process import Child, exit_words
from services.supervisor.progress import Progress
from services.supervisor.restarts import Crashes, RestartPolicy
from tradebus.config import ExitCode

_TAIL_LINES: Final = 4


@final
class Keeper:
    """One program, kept running between `start` and `stop`.

    `on_given_up` is called with a reason when it cannot be kept running.
    """

    def __init__(
        self,
        program: Program,
        environment: Mapping[str, str],
        folder: Path,
        log_file: Path,
        policy: RestartPolicy,
        progress: Progress,
        on_given_up: Callable[[str], None],
    ) -> None:
        self.program: Final = program
        self.log_file: Final = log_file
        self.restarts = 0
        """How often it was started again after ending by itself."""
        self._environment: Final = environment
        self._folder: Final = folder
        self._crashes: Final = Crashes(policy)
        self._progress: Final = progress
        self._on_given_up: Final = on_given_up
        self._child: Child | None = None
        self._watch: asyncio.Task[None] | None = None
        self._wanted = False

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    @property
    def is_wanted(self) -> bool:
        """Whether it should run: started, and neither stopped nor given up."""
        return self._wanted

    async def start(self) -> None:
        """Start the program and keep it running; nothing happens when it runs."""
        if self._wanted:
            return
        self._wanted = True
        child = await self._spawn()
        self._watch = asyncio.create_task(self._keep(child), name=f"keep {self.name}")
        self._watch.add_done_callback(self._keeping_ended)

    async def stop(self, timeout_s: float) -> bool:
        """Stop the program in order and keep it stopped; return whether it did so by itself and in time."""
        self._wanted = False
        stopped = True
        if self._child is not None and self._child.returncode is None:
            stopped = await self._child.stop(timeout_s)
            if not stopped:
                self._progress.warn(self.name, "killed", f"had not stopped within {timeout_s:g} s")
        await self._end_watch()
        return stopped

    async def kill(self, which: signal.Signals = signal.SIGKILL) -> None:
        """End the program without warning and keep it down until `start`; returns when it is gone."""
        self._wanted = False
        if self._child is not None and self._child.returncode is None:
            self._child.signal(which)
            await self._child.wait()
        await self._end_watch()

    def kill_now(self) -> None:
        """Send SIGKILL and wait for nothing; for the end of all patience."""
        self._wanted = False
        if self._child is not None and self._child.returncode is None:
            self._child.kill_now()

    async def _spawn(self) -> Child:
        child = await Child.spawn(self.name, self.program.command, self._environment, self._folder, self.log_file)
        self._child = child
        return child

    async def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def _keep(self, child: Child) -> None:
        """Wait for the program's end and start it again, until stopped or given up."""
        loop = asyncio.get_running_loop()
        while True:
            status = await child.wait()
            if not self._wanted:
                return
            if status == ExitCode.OK:
                self._wanted = False
                self._progress.tell(self.name, "finished")
                return
            error = last_error(child.log_file, child.log_begin)
            said = tail(child.log_file, _TAIL_LINES, child.log_begin)
            if error not in said:
                said = [error, *said]
            wait_s = None if status == ExitCode.CONFIG_INVALID else self._crashes.add(loop.time())
            if wait_s is None:
                self._give_up(status, said, error)
                return
            self._progress.warn(self.name, "crashed", f"{exit_words(status)}, again in {wait_s:g} s ({self.log_file})")
            self._say(said)
            await asyncio.sleep(wait_s)
            child = await self._spawn()
            self.restarts += 1

    def _keeping_ended(self, watch: asyncio.Task[None]) -> None:
        """Say when we failed ourselves: no memory or no files left for another start, for instance."""
        if not watch.cancelled() and (error := watch.exception()) is not None:
            self._wanted = False
            self._on_given_up(f"{self.name} cannot be started: {error!r}")

    def _give_up(self, status: int, said: list[str], error: str) -> None:
        self._wanted = False
        if status == ExitCode.CONFIG_INVALID:
            reason = f"{self.name} refused its configuration"
        else:
            policy, words = self._crashes.policy, error.removeprefix("error: ")
            reason = (
                f"{self.name} crashed more than {policy.crashes_max} times within {policy.window_s:g} s, "
                f"last with {exit_words(status)}; giving up. Its last error: {words or 'none'}. "
                f"Its log: {self.log_file}"
            )
        self._progress.warn(self.name, "failed", reason)
        self._say(said)
        self._on_given_up(reason)

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self._progress.tell("", "", line)
