"""Run trials on one system after another: a fault, the way back, every oracle."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.runtime.nats import connector
from services.supervisor import SERVICES, Program, RestartPolicy, Supervisor
from tests.chaos.faults import CrashAt, Fault, Kill, Pause, Stage, Stop
from tests.chaos.witness import PATIENCE_S, Witness
from tests.support.demo import Demo, demo_settings
from tests.support.execution_replicas import replicas
from tests.support.system import until
from tradebus.crash_points import POINTS, VARIABLE

LOAD = (
    "market.sim_alpha.generator.events_per_s=150",
    "market.sim_beta.generator.events_per_s=100",
    "engine.hash_every.ticks=200",
    "audit.checkpoint_ticks=1000",
    "engine.snapshot.seconds=1",
    # Trials crash the engine far more often than anything else would.
    "engine.health.crashes_max=1000000",
    "runtime.log_level=warning",
)
PATIENT = RestartPolicy(wait_initial_s=0.05, wait_max_s=0.1, crashes_max=1_000_000)
AT_START = frozenset({"engine.mid_replay", "execution.on_ownership"})
STANDBY = "standby"
SELDOM = frozenset({"audit.after_checkpoint"})
PROGRAMS = ("engine", "execution", "audit", "nats")


@dataclass
class Report:
    """What happened: how often each fault struck, and which trials failed, with how to repeat them."""

    trials: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    ticks: int = 0
    hashes: int = 0
    fills: int = 0

    def table(self, wanted: Sequence[str]) -> str:
        """Return the figures for people; a fault that never struck shows as 0."""
        lines = [f"  {name:<40} {self.fired[name]:>5}" for name in sorted({*wanted, *self.fired})]
        head = f"{self.trials} trials, {len(self.failures)} failed; {self.ticks} ticks, {self.hashes} hashes compared, "
        return "\n".join([f"{head}{self.fills} fills added up", *lines, *self.failures])


def schedule(seed: int, count: int, *, pauses: bool = False) -> list[Fault]:
    """Return so many faults: each named place and each program first, in an order drawn by the seed, then any."""
    draw = random.Random(seed)

    def after() -> int:
        return draw.randint(1, 12)

    def every() -> list[Fault]:
        if pauses:
            return [Pause(program, after()) for program in ("engine", "execution", "audit", "market", "nats")]
        at_points: list[Fault] = [
            CrashAt(point, 1 if point in AT_START | SELDOM else draw.randint(1, 6), after(), point in AT_START)
            for point in POINTS
        ]
        kills: list[Fault] = [Kill((program,), after()) for program in PROGRAMS]
        doubles: list[Fault] = [Kill(("engine", "execution"), after()), Kill(("nats", "engine"), after())]
        stops: list[Fault] = [Stop(program, after()) for program in ("engine", "execution")]
        return [*at_points, *kills, *doubles, *stops]

    faults: list[Fault] = []
    while len(faults) < count:
        more = every()
        draw.shuffle(more)
        faults += more
    return faults[:count]


async def run_trials(
    folder: Path,
    faults: Sequence[Fault],
    report: Report,
    tell: Callable[[str], None],
    repeat: str,
    *,
    with_standby: bool = False,
    programs: Sequence[Program] = SERVICES,
) -> None:
    """Run these trials on one system; the first that fails ends it, and is in the report.

    ``with_standby`` runs a second replica of the execution service, which shares the accounts and takes them over.
    ``programs`` are run in place of the services, such as one with a planted bug.
    """
    plan_file = folder / "crash-plan"
    supervisor = Supervisor(
        demo_settings(*LOAD),
        data_dir=folder / "data",
        any_ports=True,
        policy=PATIENT,
        environment={VARIABLE: f"@{plan_file}"},
        programs=programs,
    )
    async with supervisor, AsyncExitStack() as others:
        bus = await connector(supervisor.settings, "audit", "witness")(lambda event: None)
        witness = Witness(bus, supervisor.settings)
        demo = Demo(supervisor, bus)
        if with_standby:
            await others.enter_async_context(replicas(demo, folder, STANDBY))
        stage = Stage(demo, witness, plan_file, STANDBY if with_standby else "")
        done = "before the first trial"
        try:
            await witness.start()
            await recovered(stage, -1)
            for number, fault in enumerate(faults, start=1):
                done = f"trial {number}: {fault}"
                await one_trial(stage, fault)
                report.trials += 1
                report.fired[fault.name] += 1
                tell(f"{number:>4} of {len(faults)}  {fault.name:<40} tick {witness.sequence}")
            done = f"the rest after {len(faults)} trials"
            rest = await stage.demo.at_rest()
            await witness.beyond(int(rest["sequence"]))
            report.fills += await witness.check(at_rest=True)
            await own_fold_equals(stage)
        except AssertionError as error:
            report.failures.append(f"FAILED {done}: {error}\n    repeat: {repeat}")
        finally:
            report.ticks += witness.sequence + 1
            report.hashes += witness.oracles.audit.hashes
            await witness.stop()
            await bus.close()


async def one_trial(stage: Stage, fault: Fault) -> None:
    """Strike, wait until all is well again, and check every journal."""
    durable = int((await stage.demo.data("engine")).get("durable_sequence", -1))
    chains = len(stage.witness.oracles.audit.chains)
    await fault.strike(stage)
    await recovered(stage, max(durable, stage.witness.sequence))
    # Everything that was acknowledged before is there, unchanged: the witness has read on behind it.
    assert stage.witness.sequence > durable
    assert len(stage.witness.oracles.audit.chains) > chains
    await stage.witness.check()


async def recovered(stage: Stage, sequence: int) -> None:
    """Return when every service is ready, every link healthy, trading on, and the journal goes on."""
    demo = stage.demo

    async def well() -> bool:
        data = await demo.data("engine")
        return data.get("health") == "healthy" and data.get("trading") == "enabled"

    await demo.supervisor.wait_ready(PATIENCE_S)
    await until(well, "every link is healthy and trading on", PATIENCE_S)
    await stage.witness.beyond(sequence + 20)
    replica = await demo.data("audit")
    assert replica["verification"]["unequal"] == 0, replica["verification"]


async def own_fold_equals(stage: Stage) -> None:
    """Compare engine and replica, who agree, with our own fold; time goes on in the journal meanwhile."""
    witness = stage.witness

    async def abreast() -> dict[str, Any] | None:
        data = await stage.demo.data("engine")
        if data.get("sequence") != witness.sequence:
            return None
        own = witness.oracles.audit.replica.hash()
        return {"engine": data["hash"], "own": {"version": own.version, "core": own.core, "user": own.user}}

    hashes = await until(abreast, "the witness stands at the engine's sequence", PATIENCE_S)
    assert hashes["engine"] == hashes["own"], hashes
