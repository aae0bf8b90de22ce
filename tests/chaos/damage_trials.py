"""Damage what lies on disk: the files of a stream, and the engine's snapshots. Found, not traded on, repaired.

An engine of the service's own code wrote a journal on a real nats-server, with a snapshot in its middle; the archive
has all of it. Of every copy one file is damaged while the server is down. Then

- an engine starts: it refuses, saying why, or it stands exactly where the journal ended, in the state it had there;
- ``tradebus audit verify`` finds it, or every message is there as it was (nats-server had what it needed twice);
- ``tradebus audit repair`` brings the stream back from the archive, after which the first two hold for all of it.

``python -m tests.chaos.damage_trials`` runs the full number.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.engine.recovery import CannotRecover
from services.engine.snapshot_store import SnapshotStore
from tests.support.archives import append
from tests.support.damage import damage
from tests.support.engine_service import TestMarket, engine_settings, running_engine
from tests.support.nats_server import NatsServer
from tests.support.waiting import eventually
from tradebus.bus.errors import NoJournal, ReadingError
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.server import ServerError
from tradebus.cli.audit_repair import repair
from tradebus.cli.audit_source import Unusable
from tradebus.cli.audit_verify import verify
from tradebus.config import ExitCode
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.positions import JournalMark, fingerprint_of, publish_positions
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects

STREAMS_FULL, SNAPSHOTS_FULL = 200, 100
ENGINE = "demo"
STREAM = subjects.audit_stream(ENGINE)
TRADES = 120
REFUSALS = (JournalDamaged, CannotRecover, ReadingError, NoJournal)
"""What an engine says that does not trade on a journal."""
LIMIT_S = 30.0
KINDS = ("bit", "cut", "zeros")
WANTED = (
    *(f"stream: {name}, {kind}" for name in ("1.blk", "index.db", "meta.inf", "meta.sum") for kind in KINDS),
    *(f"snapshot: {suffix}, {kind}" for suffix in (".ckp", ".ckx") for kind in KINDS),
    "stream: found by verify",
    "stream: refused by the engine",
    "stream: repaired from the archive",
)
"""What must happen in a full run."""


@dataclass
class Whole:
    """The sound copy: server folder, archive, snapshots, and what a sound start gives."""

    server: Path
    archive: Path
    snapshots: Path
    messages: list[JournalMessage]
    sequence: int
    hash: object


@dataclass
class DamageReport:
    """What was damaged, and what came of it."""

    damaged: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def table(self) -> str:
        counts = {**self.damaged, **self.outcomes}
        lines = [f"  {name:<44} {count:>4}" for name, count in sorted(counts.items())]
        return "\n".join([f"{len(self.failures)} failed", *lines, *self.failures])


def connecting(server: NatsServer) -> Callable[[Listener], Awaitable[Bus]]:
    async def connect(listener: Listener) -> Bus:
        return await NatsBus.connect(server.options("engine"), listener=listener)

    return connect


async def write_whole(folder: Path) -> Whole:
    """Run an engine twice: the first run leaves a snapshot, and the second one goes on without."""
    settings = engine_settings(ENGINE)
    server = NatsServer(folder / "server")
    try:
        accounts = tuple(settings.account(exchange) for exchange in settings.exchanges)
        await server.provision((ENGINE,), accounts)
        store = SnapshotStore(folder / "snapshots", STREAM, ENGINE, 3)
        bus = await NatsBus.connect(server.options("market"))
        for half in (1, 2):
            async with running_engine(settings, connecting(server), store=store if half == 1 else None) as engine:
                market = TestMarket(bus, settings.indexed_instruments(), publisher=f"market-{half}", epoch=half)
                for _ in range(TRADES // 4):
                    sequence = engine.status["market_events"]
                    market.publish(*market.trades(4))
                    await eventually(lambda engine=engine, sequence=sequence: engine.status["market_events"] > sequence)  # type: ignore[misc]
                await eventually(lambda engine=engine: engine.status["durable_sequence"] == engine.status["sequence"])  # type: ignore[misc]
        end = (await bus.journal_state(STREAM)).last_sequence
        messages = [await bus.message(STREAM, position) for position in range(1, end + 1)]
        kept = [message for message in messages if message is not None]
        assert len(kept) == end > 20, "the journal is whole, and long enough"
        with ArchiveWriter(folder / "archive", STREAM, subjects.audit(ENGINE)) as writer:
            append(writer, kept, flush_every=4)
        mark = JournalMark(STREAM, end, fingerprint_of(kept[-1]), 0)
        await publish_positions(bus, subjects.archive_reader(ENGINE), "audit-1", (mark,))
        await bus.close()
    finally:
        server.stop()
    found = await start_of(folder / "server", folder / "snapshots", folder / "sound")
    assert isinstance(found, tuple), f"a sound start: {found}"
    return Whole(folder / "server", folder / "archive", folder / "snapshots", kept, *found)


async def start_of(server_folder: Path, snapshots: Path, scratch: Path) -> tuple[int, object] | str:
    """Start an engine on copies; return the last tick it recovered and the state's hash, or why it refused."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(server_folder, scratch / "server")
    shutil.copytree(snapshots, scratch / "snapshots")
    server = NatsServer(scratch / "server")
    try:
        # As every start does: a stream that is gone is made again, empty.
        settings = engine_settings(ENGINE)
        accounts = tuple(settings.account(exchange) for exchange in settings.exchanges)
        await server.provision((ENGINE,), accounts)
        store = SnapshotStore(scratch / "snapshots", STREAM, ENGINE, 3)
        try:
            async with asyncio.timeout(LIMIT_S):
                async with running_engine(settings, connecting(server), store=store) as engine:
                    recovered = engine.service._recovered  # type: ignore[attr-defined]
                    if recovered is None:
                        return -1, None
                    return recovered.end.sequence, engine.status["hash"]
        except REFUSALS as error:
            return f"{type(error).__name__}: {error}"
    finally:
        server.stop()


async def stream_trial(whole: Whole, rng: random.Random, scratch: Path, report: DamageReport) -> None:
    """Damage one file of the stream, on a server that is down, and check all that must follow."""
    shutil.rmtree(scratch, ignore_errors=True)
    copy = scratch / "damaged"
    shutil.copytree(whole.server, copy)
    folder = copy / "jetstream" / "$G" / "streams" / STREAM
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    # The blocks hold nearly all bytes; the rest is tried often enough all the same.
    blocks = [path for path in files if path.suffix == ".blk"]
    path = rng.choice(blocks) if rng.random() < 0.6 else rng.choice(files)
    done = damage(rng, path)
    report.damaged[f"stream: {path.name}, {done.partition(' ')[0]}"] += 1
    try:
        started = await start_of(copy, whole.snapshots, scratch / "start")
    except ServerError as error:
        started = f"nats-server does not start: {error}"
    is_refused = isinstance(started, str)
    assert is_refused or started == (whole.sequence, whole.hash), f"{done}: an engine traded on {started}"
    report.outcomes["stream: refused by the engine" if is_refused else "stream: the engine has it all"] += 1
    try:
        server = NatsServer(copy)
    except ServerError:
        # It stands still where it restores the stream; an operator puts the stream's folder aside.
        shutil.rmtree(folder)
        server = NatsServer(copy)
        report.outcomes["stream: nats-server does not start with it"] += 1
    try:
        settings = engine_settings(ENGINE)
        await server.provision((ENGINE,), tuple(settings.account(exchange) for exchange in settings.exchanges))
        is_whole = await _is_whole(server, whole)
        found = await _asked(verify(whole.archive, server.url, ENGINE, Path("strategies"), as_json=False, quiet=True))
        is_found = found == ExitCode.DAMAGED
        assert is_found or is_whole, f"{done}: not found by verify, and messages are missing ({found})"
        report.outcomes["stream: found by verify" if is_found else "stream: nats-server mends it itself"] += 1
        if not is_whole:
            archive = scratch / "archive"
            shutil.copytree(whole.archive, archive)
            await _asked(repair(archive, server.url, ENGINE, yes=True, as_json=False))
            assert await _is_whole(server, whole), f"{done}: repair did not bring back every message"
            report.outcomes["stream: repaired from the archive"] += 1
    finally:
        server.stop()
    again = await start_of(copy, whole.snapshots, scratch / "start")
    assert again == (whole.sequence, whole.hash), f"{done}: after the repair an engine finds {again}"


async def snapshot_trial(whole: Whole, rng: random.Random, scratch: Path, report: DamageReport) -> None:
    """Damage a file of the engine's snapshots: it is refused, and the journal gives the state all the same."""
    shutil.rmtree(scratch, ignore_errors=True)
    copy = scratch / "damaged"
    shutil.copytree(whole.snapshots, copy)
    files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
    path = rng.choice(files)
    done = damage(rng, path)
    report.damaged[f"snapshot: {path.suffix}, {done.partition(' ')[0]}"] += 1
    refused: list[str] = []
    found = list(SnapshotStore(copy, STREAM, ENGINE, 3).readable(refused.append))
    assert len(refused) == 1, f"{done}: not refused"
    assert not found, f"{done}: there is only that one"
    report.outcomes["snapshot: refused"] += 1
    started = await start_of(whole.server, copy, scratch / "start")
    assert started == (whole.sequence, whole.hash), f"{done}: the engine stands at {started}"
    report.outcomes["snapshot: the journal gives the same state"] += 1


async def _is_whole(server: NatsServer, whole: Whole) -> bool:
    """Tell whether every message is in the stream as it was."""
    bus = await NatsBus.connect(server.options("witness"))
    try:
        if (await bus.journal_state(STREAM)).last_sequence < len(whole.messages):
            return False
        for expected in whole.messages:
            found = await bus.message(STREAM, expected.sequence)
            if found is None or (found.payload, found.headers) != (expected.payload, expected.headers):
                return False
    finally:
        await bus.close()
    return True


async def _asked(work: Awaitable[int]) -> int:
    """Return a command's exit status; what it cannot work with is damage that it names."""
    try:
        async with asyncio.timeout(LIMIT_S):
            return await work
    except (Unusable, JournalDamaged, ReadingError) as error:
        print(f"    {type(error).__name__}: {error}")
        return ExitCode.DAMAGED


async def run_trials(
    folder: Path, seed: int, streams: int, snapshots: int, report: DamageReport, begin: int = 0
) -> None:
    """Make a sound copy, then damage so many copies of it; what fails is in the report, the others go on."""
    whole = await write_whole(folder)
    for number in range(begin, streams + snapshots):
        rng = random.Random(seed * 100_000 + number)
        trial = stream_trial if number < streams else snapshot_trial
        try:
            await trial(whole, rng, folder / "trial", report)
        except (AssertionError, TimeoutError) as error:
            report.failures.append(f"FAILED number {number}, seed {seed}: {type(error).__name__} {error}")
            print(report.failures[-1], flush=True)
        if number % 20 == 19:
            print(f"{number + 1:>4} of {streams + snapshots} damages", flush=True)


def main() -> int:
    """Run the full number, print the table, and return the exit status: 1 when something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.damage_trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=STREAMS_FULL)
    parser.add_argument("--snapshots", type=int, default=SNAPSHOTS_FULL)
    parser.add_argument("--begin", type=int, default=0, help="leave out the first ones")
    options = parser.parse_args()
    report = DamageReport()
    with tempfile.TemporaryDirectory(prefix="tradebus-damage-") as folder:
        asyncio.run(run_trials(Path(folder), options.seed, options.streams, options.snapshots, report, options.begin))
    print(f"damages: {report.table()}", flush=True)
    happened = {**report.damaged, **report.outcomes}
    never = [] if options.begin else [name for name in WANTED if name not in happened]
    if never:
        print(f"damages: never happened: {', '.join(never)}", flush=True)
    return 1 if report.failures or never else 0


if __name__ == "__main__":
    sys.exit(main())
