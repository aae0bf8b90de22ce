"""How long an engine takes to go on: from a journal of a million ticks, from a recent snapshot, as a hot standby.

    python -m bench --only recovery

The first two are a process of its own, from its start to the state at the journal's end, over a real NATS. The third is
two engines of one id beside a running market: from the kill of the leader to the other's first batch in the journal.
"""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psutil
import structlog

from bench.journal import ENGINE, STREAM, feed, write_journal
from bench.pipeline import pipeline_settings
from services.engine.recovery import Recovery, recover
from services.engine.snapshot_store import SnapshotNotes, SnapshotStore
from services.runtime.nats import connector
from services.runtime.ports import free_ports
from services.supervisor import Program, Supervisor
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.provision import provision
from tradebus.bus.server import MIB, EmbeddedServer, ServerSettings
from tradebus.bus.topology import Sizes, topology
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.snapshot import EngineSnapshot, SnapshotHead, snapshot_to_bytes

TICKS: Final = 1_000_000
BEHIND_TICKS: Final = 30_000
"""So many ticks lie behind the recent snapshot; a live engine takes one every 30 s."""
REPEATS: Final = 3
CODE: Final = "bench"
TAKEOVER_EVENTS_PER_S: Final = 5_000
PATIENCE_S: Final = 30.0


async def _fill(url: str, folder: Path) -> None:
    """Put the journal into its stream, and a snapshot of the state shortly before its end into a folder."""
    options = NatsOptions((url,), "bench")
    sizes = Sizes(audit=512 * MIB, account=MIB, commands=MIB, dead_letters=MIB, bucket=MIB)
    await provision(options, topology([ENGINE], [], sizes))
    messages: list[JournalMessage] = []
    write_journal(feed(TICKS), messages.append)
    bus = await NatsBus.connect(options)
    try:
        for message in messages:
            await bus.append(
                message.subject,
                message.payload,
                expected_last_sequence=message.sequence - 1,
                headers=message.headers,
            )
    finally:
        await bus.close()
    recovery = Recovery(STREAM, CODE, structlog.stdlib.get_logger())
    for message in messages:
        recovery.take(message)
        if recovery.sequence >= TICKS - BEHIND_TICKS:
            break
    found = recovery.finish()
    head = SnapshotHead(
        CODE, "", found.state.index.fingerprint(), ENGINE, 1, found.end.sequence, found.time_ns, hash_state(found.state)
    )
    end = found.end
    at = CheckpointHead(STREAM, end.position, end.chain, end.sequence, found.time_ns, found.time_ns, ENGINE, 1)
    payload = snapshot_to_bytes(EngineSnapshot(head, found.started, found.state))
    _store(folder).write(at, payload, SnapshotNotes(0, ""))


def _store(folder: Path) -> SnapshotStore:
    return SnapshotStore(folder, STREAM, ENGINE, 3)


async def _recover(url: str, folder: Path | None) -> dict[str, float]:
    """Recover in this process; return what it took since the process began, seconds."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bus = await NatsBus.connect(NatsOptions((url,), "bench"))
    log = structlog.stdlib.get_logger()
    found = await recover(bus, STREAM, CODE, log, None if folder is None else _store(folder))
    wall_s = time.time() - psutil.Process().create_time()
    await bus.close()
    if found is None or found.end.sequence < TICKS:
        raise RuntimeError(f"expected {TICKS} ticks, found {found and found.end}")
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime, "ticks": found.ticks}


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "lowest": round(min(values), 2),
        "highest": round(max(values), 2),
    }


def _recoveries(url: str, folder: Path | None) -> dict[str, Any]:
    found: list[dict[str, float]] = []
    for _ in range(REPEATS):
        command = [sys.executable, "-m", "bench.recovery", url, *([] if folder is None else [str(folder)])]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=dict(os.environ))
        if done.returncode:
            raise RuntimeError(f"the recovery failed: {done.stderr.strip()[-500:]}")
        found.append(json.loads(done.stdout))
    return {
        "ticks_replayed": int(found[0]["ticks"]),
        "wall_s": _spread([each["wall_s"] for each in found]),
        "cpu_s": _spread([each["cpu_s"] for each in found]),
        "repeats": REPEATS,
    }


class _Watched:
    """When each epoch of a journal was first heard of, monotonic seconds."""

    def __init__(self) -> None:
        self._verifier: Final = AuditVerifier()
        self.first_s: Final[dict[int, float]] = {}

    def take(self, message: JournalMessage) -> None:
        """Take the next message."""
        batch = self._verifier.accept(message)
        self.first_s.setdefault(batch.head.engine_epoch, time.monotonic())


async def _takeover() -> float:
    """Return the seconds from the leader's kill to the first batch of the engine that stood by."""
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name:
        folder = Path(name)
        supervisor = Supervisor(
            pipeline_settings(TAKEOVER_EVENTS_PER_S, sync_always=True),
            data_dir=folder,
            any_ports=True,
            programs=(Program("market"), Program("engine"), Program("execution")),
        )
        async with supervisor:
            (port,) = free_ports(1)
            environment = dict(os.environ) | {
                "TRADEBUS_CONFIG": str(folder / "run" / "tradebus.toml"),
                "TRADEBUS__NATS__URL": supervisor.nats_url,
                "TRADEBUS__RUNTIME__HTTP__ENGINE": f"127.0.0.1:{port}",
                "TRADEBUS__RUNTIME__INSTANCE": "standby",
                "TRADEBUS__RUNTIME__DATA_DIR": str(folder / "standby"),
            }
            log_path = folder / "standby.log"
            with log_path.open("ab") as log:
                standby = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "services.engine", env=environment, stdout=log, stderr=log
                )
            try:
                return await _kill_and_wait(supervisor, log_path)
            finally:
                standby.kill()
                await standby.wait()


async def _kill_and_wait(supervisor: Supervisor, log_path: Path) -> float:
    bus = await connector(supervisor.settings, "operator", "bench")(lambda _: None)
    try:
        watched = _Watched()
        stream = subjects.audit_stream(supervisor.settings.journal_id)
        reader = await bus.consume(stream, 1, watched.take)
        await _until(lambda: b"standing by" in log_path.read_bytes())
        await _until(lambda: bool(watched.first_s))
        killed_s = time.monotonic()
        await supervisor.kill("engine")
        await _until(lambda: len(watched.first_s) > 1)
        await reader.stop()
        return max(watched.first_s.values()) - killed_s
    finally:
        await bus.close()


async def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE_S:g} s in vain")
        await asyncio.sleep(0.01)


def measure() -> dict[str, Any]:
    """Return wall and CPU seconds of each way to go on."""
    with (
        tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name,
        EmbeddedServer(ServerSettings(Path(name, "nats"), sync_always=False)) as server,
    ):
        folder = Path(name, "snapshots")
        asyncio.run(_fill(server.url, folder))
        results = {
            "journal of a million ticks": _recoveries(server.url, None),
            "recent snapshot": _recoveries(server.url, folder),
        }
    takeovers = [asyncio.run(_takeover()) for _ in range(REPEATS)]
    results["takeover by a standby"] = {"wall_s": _spread(takeovers), "repeats": REPEATS}
    return results


if __name__ == "__main__":
    given = sys.argv[1:]
    json.dump(asyncio.run(_recover(given[0], Path(given[1]) if len(given) > 1 else None)), sys.stdout)
