"""What is done to a running system, one trial after another."""

import os
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.witness import PATIENCE_S, Witness
from tests.support.demo import Demo
from tests.support.system import until
from tests.support.waiting import eventually
from tradebus.crash_points import parse


@dataclass(frozen=True)
class Stage:
    """The system under trial, and who watches."""

    demo: Demo
    witness: Witness
    plan_file: Path
    """Where the services look for the crash that is wanted."""
    standby: str = ""
    """The instance name of another replica of the execution service, empty where there is none."""


class Fault(ABC):
    """One thing that goes wrong. ``name`` is what the table counts."""

    name: str

    @abstractmethod
    async def strike(self, stage: Stage) -> None:
        """Do it; return when it has happened."""


@dataclass(frozen=True)
class Kill(Fault):
    """SIGKILL at an instant given in batches of the journal, to one program or to several at once."""

    programs: tuple[str, ...]
    after: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"kill {' + '.join(self.programs)}"

    async def strike(self, stage: Stage) -> None:
        """Kill."""
        await stage.witness.after(self.after)
        pids = {name: await pid_of(stage.demo, name) for name in self.programs}
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in pids.items():
            await gone(stage.demo, name, pid)


@dataclass(frozen=True)
class CrashAt(Fault):
    """The program dies by itself at the nth visit of a named place; killed first where the place is only at a start."""

    point: str
    nth: int
    after: int
    is_at_start: bool = False

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.point

    async def strike(self, stage: Stage) -> None:
        """Name the place, and wait until the program has died there."""
        program = parse(f"{self.point}:{self.nth}")[0].partition(".")[0]
        await stage.witness.after(self.after)
        # Whoever writes a file may come to such a place first.
        pid = 0 if program == "files" else await pid_of(stage.demo, program)
        written = stage.plan_file.with_suffix(".new")
        written.write_text(f"{self.point}:{self.nth}")
        written.replace(stage.plan_file)
        if self.is_at_start:
            os.kill(pid, signal.SIGKILL)
            await gone(stage.demo, program, pid)

        async def died() -> bool:
            return not stage.plan_file.exists()

        await until(died, f"{program} comes to {self.point} for the {self.nth}th time", PATIENCE_S)
        if pid and not self.is_at_start:
            await gone(stage.demo, program, pid)


@dataclass(frozen=True)
class Pause(Fault):
    """SIGSTOP until the others have noticed, then SIGCONT."""

    program: str
    after: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"pause {self.program}"

    async def strike(self, stage: Stage) -> None:
        """Stop the program, and let it go on."""
        await stage.witness.after(self.after)
        demo = stage.demo
        pid = await pid_of(demo, self.program)
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: noticed(stage, self.program), f"others notice that {self.program} stands", PATIENCE_S)
        finally:
            os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Stop(Fault):
    """SIGTERM: the program ends in order, and an engine says so in its journal."""

    program: str
    after: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"stop {self.program}"

    async def strike(self, stage: Stage) -> None:
        """Stop the program, check how it ended, and start it again."""
        await stage.witness.after(self.after)
        demo = stage.demo
        pid = await pid_of(demo, self.program)
        os.kill(pid, signal.SIGTERM)
        await gone(demo, self.program, pid)
        # Who ends with an error is started again by itself; who ends in order is not.
        assert demo.supervisor.pid(self.program) is None, f"{self.program} did not end in order"
        if self.program == "engine":
            await eventually(stage.witness.is_engine_shut_down, "the journal ends with the shutdown", PATIENCE_S)
        await demo.supervisor.restart(self.program)


async def noticed(stage: Stage, program: str) -> bool:
    """Tell whether the absence of a program shows: in the engine's links, in health, or in its own silence.

    Of an owner of accounts it shows in who owns them, where there is somebody else.
    """
    demo = stage.demo
    if program == "execution" and stage.standby:
        return all(account.owners[-1][0] == stage.standby for account in stage.witness.oracles.accounts.values())
    if program in {"market", "execution"}:
        return (await demo.data("engine")).get("health") == "reconnecting"
    if program == "nats":
        return (await demo.data("engine")).get("trading") == "disabled"
    return await demo.supervisor.status(program) is None


async def pid_of(demo: Demo, program: str) -> int:
    """Return the process id of a program, waiting for its start."""

    async def pid() -> int | None:
        return demo.supervisor.pid(program)

    return int(await until(pid, f"{program} runs", PATIENCE_S))


async def gone(demo: Demo, program: str, pid: int) -> None:
    """Return when a process has ended."""

    async def ended() -> bool:
        return demo.supervisor.pid(program) != pid

    await until(ended, f"{program} (process {pid}) ends", PATIENCE_S)
