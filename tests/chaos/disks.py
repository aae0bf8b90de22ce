"""Fill the disk of one service under a running demo, and make room again.

Every folder is a small volume of its own. Without room for the journals trading goes off, and the journal tells so when
there is room; without room for what the services keep beside them trading goes on, and a service that is killed
meanwhile comes back on its full disk.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import Fault, Stage, gone, pid_of
from tests.chaos.outages import check_switched
from tests.chaos.volume import MIB, Volume, mounted
from tests.chaos.witness import PATIENCE_S
from tests.support.system import until

SIZES = {"nats": 96 * MIB, "engine": 8 * MIB, "execution": 8 * MIB, "audit": 24 * MIB}
"""What each folder of a system's data gets: enough for some minutes of the trials' load."""
TICKS_WHILE_FULL = 300


@dataclass(frozen=True)
class DiskFull(Fault):
    """Nothing more can be written to the volume of one program, for a while."""

    program: str
    volume: Volume
    after: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"disk full {self.program}"

    async def strike(self, stage: Stage) -> None:
        """Fill the volume, see what must happen, and make room."""
        await stage.witness.after(self.after)
        switches = len(stage.witness.oracles.audit.switches)
        self.volume.fill()
        try:
            if self.program == "nats":
                await _without_journals(stage)
            else:
                await _beside_the_journals(stage, self.program)
        finally:
            self.volume.free()
        if self.program == "nats":
            await check_switched(stage, switches)


async def _without_journals(stage: Stage) -> None:
    """Trading goes off, and nothing new is acknowledged."""
    demo = stage.demo

    async def is_off() -> bool:
        data = await demo.data("engine")
        return data.get("trading") == "disabled" and data["sequence"] > data["durable_sequence"]

    await until(is_off, "trading is off while the journals' disk is full", PATIENCE_S)
    data = await demo.data("engine")
    made, durable = int(data["sequence"]), data["durable_sequence"]

    async def goes_on() -> bool:
        return int((await demo.data("engine"))["sequence"]) > made + TICKS_WHILE_FULL

    await until(goes_on, "the engine goes on taking in events", PATIENCE_S)
    assert (await demo.data("engine"))["durable_sequence"] == durable, "acknowledged on a disk without room"


async def _beside_the_journals(stage: Stage, name: str) -> None:
    """Trading goes on, the service says what it cannot write, and comes back on its full disk when it is killed."""
    demo, witness = stage.demo, stage.witness

    async def complains() -> bool:
        return any("No space left" in reason for reason in (await demo.ready(name))[1].values())

    switches = len(witness.oracles.audit.switches)
    await until(complains, f"{name} says that its disk is full", PATIENCE_S)
    await witness.beyond(witness.sequence + TICKS_WHILE_FULL)
    await demo.wait_fills(1)
    assert len(witness.oracles.audit.switches) == switches, "trading was switched for a disk that it does not need"

    pid = await pid_of(demo, name)
    os.kill(pid, signal.SIGKILL)
    await gone(demo, name, pid)

    async def is_back() -> bool:
        own, engine = await demo.data(name), await demo.data("engine")
        return bool(own) and engine.get("health") == "healthy" and engine.get("trading") == "enabled"

    await until(is_back, f"{name} is back on its full disk, and trading goes on", PATIENCE_S)
    await witness.beyond(witness.sequence + TICKS_WHILE_FULL)


@contextmanager
def small_disks(data_dir: Path) -> Iterator[dict[str, Volume]]:
    """Give each folder of a system's data a volume of its own, by name. Raises MountRefused."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(mounted(data_dir / name, size)) for name, size in SIZES.items()}
