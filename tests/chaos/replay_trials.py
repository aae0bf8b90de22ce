"""Kill a replay anywhere and let it go on: the same orders, fills and final state as of the one that was never killed.

The strategies keep data of their own and decide by it. Real processes, a real nats-server, SIGKILL to one program, to
two, or to all of them at once: then another supervisor takes the run up.

``python -m tests.chaos.replay_trials`` runs the full number.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.replaying.settings import replay_settings
from services.runtime.nats import connector
from services.supervisor import RestartPolicy, Supervisor
from tests.support.replaying import moving_recording
from tests.support.system import until
from tests.support.waiting import eventually
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.config import Settings
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import RequestsDecided
from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.audit import audit_frames_from_bytes

POINTS_FULL = 50
POINTS_PER_RUN = 5
EVENTS = 24_000
PATIENCE_S = 120.0
ALL = "all"
TARGETS = ("engine", "engine", "market", "execution", "audit", "nats", "engine + nats", "engine + market", ALL)
"""What is killed at a point; the engine more often, because there is the state."""
MINE = {"id": "mine", "class": "tests.support.remembering:Remembering", "params": {}}
PATIENT = RestartPolicy(wait_initial_s=0.05, wait_max_s=0.1, crashes_max=1_000_000)


@dataclass
class Journal:
    """What one run wrote: every tick as text, and what follows from them."""

    texts: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    fills: list[str] = field(default_factory=list)
    hashes: int = 0
    said: dict[str, Any] = field(default_factory=dict)
    """What engine, replica and the execution service's fold said at the end."""
    verifier: AuditVerifier = field(default_factory=AuditVerifier)
    replica: Replica = field(default_factory=lambda: Replica(load_data))
    broken: str = ""

    @property
    def sequence(self) -> int:
        return self.verifier.sequence

    def take(self, message: JournalMessage) -> None:
        """Take in a message: it follows the one before, and its hash is that of our own fold."""
        try:
            batch = self.verifier.accept(message)
            for tick in batch.ticks:
                assert self.replica.apply(tick), f"tick {tick.sequence} stands in the journal twice"
                self.texts.append(canonical_text(tick))
                self.orders += [
                    canonical_text(request)
                    for output in tick.outputs
                    if isinstance(output, RequestsDecided)
                    for request in output.opens_sent
                ]
                if isinstance(tick.event, AccountEvent) and isinstance(tick.event.data, TradeReceived):
                    self.fills.append(canonical_text(tick.event.data.trade))
            if batch.head.core_hash:
                own = self.replica.hash()
                assert (batch.head.core_hash, batch.head.user_hash) == (own.core, own.user), batch.head
                self.hashes += 1
        except Exception as error:
            self.broken = f"message {message.sequence}: {error!r}"
            raise


@dataclass
class ReplayReport:
    """How often which program was killed, at which tick, and what differed."""

    fired: Counter[str] = field(default_factory=Counter)
    points: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    hashes: int = 0

    def table(self) -> str:
        lines = [f"  {name:<20} {count:>4}" for name, count in sorted(self.fired.items())]
        head = f"{len(self.points)} kills of replays, {len(self.failures)} runs differ; {self.hashes} hashes compared"
        return "\n".join([head, *lines, *self.failures])


def settings_of(file: Path, run: str) -> Settings:
    """Return settings of a replay with the ready-made strategies and one that remembers much."""
    data = replay_settings([file], run, hash_every_batch=False).as_data()
    data["engine"]["strategies"] = [*data["engine"]["strategies"], MINE]
    data["engine"]["hash_every"] = {"ticks": 500, "seconds": 1}
    data["runtime"]["log_level"] = "warning"
    return Settings.model_validate(data)


async def replayed(folder: Path, settings: Settings, kills: Sequence[tuple[int, str]], report: ReplayReport) -> Journal:
    """Run a replay to its end, killing at each of these ticks what is named there."""
    journal = Journal()
    left = list(kills)
    while True:
        supervisor = Supervisor(settings, data_dir=folder, any_ports=True, policy=PATIENT, resume=True)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(supervisor.stop)
            await supervisor.start()
            bus = await connector(supervisor.settings, "audit", "witness")(lambda _event: None)
            stack.push_async_callback(bus.close)
            stream = subjects.audit_stream(settings.journal_id)
            if await _killed_all(supervisor, bus, left, report):
                continue
            # Not before: taking in is work, during which nobody would notice that a kill is due.
            reader = await bus.consume(stream, journal.verifier.position + 1, journal.take)
            stack.push_async_callback(reader.stop)
            await _finished(supervisor, journal)
            return journal


async def _killed_all(supervisor: Supervisor, bus: Bus, left: list[tuple[int, str]], report: ReplayReport) -> bool:
    """Kill at each point that is left; tell whether it was everything, so that another supervisor must go on."""
    stream = subjects.audit_stream(supervisor.settings.journal_id)
    while left:
        point, target = left.pop(0)
        at = await _reached(bus, stream, point)
        is_over = bool((await _data(supervisor, "engine")).get("is_finished"))
        assert not is_over, f"the replay was over before the kill at tick {point}"
        report.fired[target] += 1
        report.points.append(at)
        if target == ALL:
            supervisor.kill_all()
            return True
        pids = {name: supervisor.pid(name) for name in target.split(" + ")}
        for pid in pids.values():
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
        for name, pid in pids.items():
            await eventually(lambda name=name, pid=pid: supervisor.pid(name) != pid, f"{name} ends", PATIENCE_S)  # type: ignore[misc]
    return False


async def _reached(bus: Bus, stream: str, point: int) -> int:
    """Return the last tick in a journal once that is so far; who follows all of it would come too late."""

    async def last() -> int:
        try:
            message = await bus.last_message(stream)
        except BusUnavailable:
            return 0
        sequence = -1 if message is None else audit_frames_from_bytes(message.payload).head.last_sequence
        return sequence if sequence >= point else 0

    return int(await until(last, f"tick {point} in the journal", PATIENCE_S))


async def _finished(supervisor: Supervisor, journal: Journal) -> None:
    """Wait until everybody has seen the end, and keep what they say."""

    async def over() -> bool:
        assert not journal.broken, journal.broken
        said = {name: await _data(supervisor, name) for name in ("engine", "audit", "execution", "market")}
        engine = said["engine"]
        journal.said = said
        return (
            bool(engine.get("is_finished"))
            and bool(said["execution"].get("is_finished"))
            and said["audit"].get("sequence") == engine["sequence"] == journal.sequence
            and bool(said["market"])
        )

    await until(over, "engine, fold, replica and witness have seen the end", PATIENCE_S)


async def _data(supervisor: Supervisor, name: str) -> dict[str, Any]:
    status = await supervisor.status(name)
    return {} if status is None else dict(status["data"])


def differences(found: Journal, expected: Journal) -> list[str]:
    """Return what a replay that was killed has otherwise than the one that was not; empty if nothing."""
    wrong: list[str] = []
    for name in ("orders", "fills", "texts"):
        mine, wanted = getattr(found, name), getattr(expected, name)
        if mine != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(mine, wanted, strict=False)) if a != b), min(len(mine), len(wanted))
            )
            wrong.append(f"{name}: {len(mine)} instead of {len(wanted)}, the first other one is number {at}")
    for name in ("digest", "hash", "sequence", "market_events", "orders", "fills", "cancels", "pnl_realised"):
        mine, wanted = found.said["engine"].get(name), expected.said["engine"].get(name)
        if mine != wanted:
            wrong.append(f"the engine's {name}: {mine} instead of {wanted}")
    hashes = {who: found.said[who]["hash"] for who in ("audit", "engine")}
    wrong += [
        f"the final state of {who}: {own}" for who, own in hashes.items() if own != expected.said["engine"]["hash"]
    ]
    if found.said["audit"].get("digest") != expected.said["engine"]["digest"]:
        wrong.append(f"the replica's digest: {found.said['audit'].get('digest')}")
    if not found.said["execution"]["fold_equal"]:
        wrong.append(f"the execution service's fold: {found.said['execution']['accounts']}")
    return wrong


def plan(seed: int, points: int, ticks: int, targets: Sequence[str]) -> list[tuple[int, str]]:
    """Return so many ticks, in order, with what is killed there: any instant between the first and the last."""
    draw = random.Random(seed)
    at = sorted(draw.sample(range(1, ticks * 8 // 10), points))
    return list(zip(at, targets, strict=True))


async def run_trials(
    folder: Path, seed: int, points: int, events: int, report: ReplayReport, targets: Sequence[str] = ()
) -> Journal:
    """Run one replay that is left alone, then others with ``points`` kills in all; return the first one's journal.

    ``targets`` are what is killed at each point; without them each of ``TARGETS`` in turn, in an order by the seed.
    """
    deck = list(targets or (TARGETS * (points // len(TARGETS) + 1))[:points])
    if not targets:
        random.Random(seed).shuffle(deck)
    file = moving_recording(folder, events)
    whole = await replayed(folder / "whole", settings_of(file, "run"), (), report)
    report.hashes += whole.hashes
    for number, begin in enumerate(range(0, points, POINTS_PER_RUN)):
        count = min(POINTS_PER_RUN, points - begin)
        kills = plan(seed + number, count, whole.sequence, deck[begin : begin + count])
        try:
            found = await replayed(folder / f"killed-{number}", settings_of(file, "run"), kills, report)
            report.hashes += found.hashes
            wrong = differences(found, whole)
        except AssertionError as error:
            wrong = [str(error)]
        if wrong:
            repeat = f"python -m tests.chaos.replay_trials --seed {seed} --points {points} --events {events}"
            report.failures.append(f"FAILED {kills}: {'; '.join(wrong)}\n    repeat: {repeat}")
            print(report.failures[-1], flush=True)
        print(f"{begin + count:>4} of {points} kills  {'; '.join(f'{name} at {at}' for at, name in kills)}", flush=True)
    return whole


def main() -> int:
    """Run the full number, print the table, and return the exit status: 1 when a run differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.replay_trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=POINTS_FULL)
    parser.add_argument("--events", type=int, default=EVENTS)
    options = parser.parse_args()
    report = ReplayReport()
    with tempfile.TemporaryDirectory(prefix="tradebus-replays-") as folder:
        whole = asyncio.run(run_trials(Path(folder), options.seed, options.points, options.events, report))
    print(f"replays: {len(whole.orders)} orders and {len(whole.fills)} fills in {len(whole.texts)} ticks", flush=True)
    print(f"replays: {report.table()}", flush=True)
    never = sorted(set(TARGETS) - set(report.fired)) if options.points >= POINTS_FULL else []
    if never:
        print(f"replays: never happened: {', '.join(never)}", flush=True)
    return 1 if report.failures or never else 0


if __name__ == "__main__":
    sys.exit(main())
