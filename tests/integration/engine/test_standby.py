"""Two engine processes of one id: one leads, the other folds its journal and takes over, and only one ever writes."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.engine_process import EngineProcess
from tests.support.engine_service import check_hashes, engine_settings, read_journal
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import POLL_S, eventually
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.config import Settings
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.event import EngineStarted, Shutdown
from tradebus.core.engine.resumed import EngineResumed
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatch

TAKEOVER_S = 5.0
FENCED_S = 1.0
PATIENCE_S = 60.0


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    return await asyncio.to_thread(new_nats_server)


@pytest.fixture
def settings(server: NatsServer) -> Settings:
    return engine_settings("demo", nats={"url": server.url, "sync_always": False})


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    bus = await NatsBus.connect(NatsOptions(servers=(server.url,), service="test"))
    yield bus
    await bus.close()


class Watched:
    """The journal as it grows, verified: when each batch arrived, and who wrote it."""

    def __init__(self) -> None:
        self.batches: list[AuditBatch] = []
        self.arrived_s: list[float] = []
        self._verifier = AuditVerifier()

    def take(self, message: JournalMessage) -> None:
        self.batches.append(self._verifier.accept(message))
        self.arrived_s.append(time.monotonic())

    @property
    def epochs(self) -> list[int]:
        """Return the epochs in order, each once."""
        return sorted({batch.head.engine_epoch for batch in self.batches})

    def first_s(self, epoch: int) -> float:
        """Return when the first batch of an epoch arrived."""
        return next(
            at for at, batch in zip(self.arrived_s, self.batches, strict=True) if batch.head.engine_epoch == epoch
        )


async def pair(stack: AsyncExitStack, settings: Settings, folder: Path) -> tuple[EngineProcess, EngineProcess]:
    """Start two engines, one after the other; return the one that leads and the one that stands by."""
    first = await stack.enter_async_context(EngineProcess(settings, folder, "engine-1"))
    await eventually(lambda: "engine started" in first.said, "the first engine leads", PATIENCE_S)
    second = await stack.enter_async_context(EngineProcess(settings, folder, "engine-2"))
    await eventually(lambda: "standing by" in second.said, "the second engine stands by", PATIENCE_S)
    return first, second


async def waited_for_a_core_s(engine: EngineProcess) -> float:
    """Return for how long a process was ready to run and did not, from now until it ends."""
    path = Path(f"/proc/{engine.process.pid}/schedstat")
    waits_ns: list[int] = []
    while engine.process.returncode is None:
        try:
            waits_ns.append(int(path.read_text().split()[1]))
        except (FileNotFoundError, ProcessLookupError):
            break
        await asyncio.sleep(POLL_S)
    return (waits_ns[-1] - waits_ns[0]) / 1e9 if waits_ns else 0.0


def stopped_s(engine: EngineProcess) -> float:
    """Return when a process said that it had stopped, in seconds since the epoch."""
    last = json.loads(engine.said.splitlines()[-1])
    assert last["event"] == "stopped"
    return datetime.fromisoformat(last["time"]).timestamp()


async def watch(bus: Bus) -> Watched:
    watched = Watched()
    await bus.consume(subjects.audit_stream("demo"), 1, watched.take)
    return watched


async def check_journal(bus: Bus) -> None:
    """Check that the journal is one chain, and every hash in it that of our own fold."""
    batches = await read_journal(bus, "demo")
    assert check_hashes(batches, Replica(load_data)) > 0
    kinds = [type(t.event) for b in batches for t in b.ticks if isinstance(t.event, EngineStarted | EngineResumed)]
    assert kinds == [EngineStarted, EngineResumed]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_standby_takes_over_and_the_old_leader_writes_nothing_more(
    server: NatsServer, settings: Settings, bus: Bus, tmp_path: Path, which: signal.Signals
) -> None:
    async with AsyncExitStack() as stack:
        first, second = await pair(stack, settings, tmp_path)
        watched = await watch(bus)
        begun = len(watched.batches)
        await eventually(lambda: len(watched.batches) > begun + 3, "the journal grows", PATIENCE_S)
        first.send(which)
        struck_s = time.monotonic()
        await eventually(lambda: len(watched.epochs) == 2, "another epoch", PATIENCE_S)
        took_s = watched.first_s(watched.epochs[1]) - struck_s
        assert took_s < TAKEOVER_S
        resumed = next(batch for batch in watched.batches if batch.head.engine_epoch == watched.epochs[1])
        assert isinstance(resumed.ticks[0].event, EngineResumed)
        if which is signal.SIGSTOP:
            continued_s = time.time()
            first.send(signal.SIGCONT)
            waited_s = await waited_for_a_core_s(first)
            assert await first.ended() == 1
            took_s = stopped_s(first) - continued_s
            # What it waited for one of the machine's cores is not its own doing.
            assert took_s - waited_s < FENCED_S, f"stopped after {took_s:.2f} s, {waited_s:.2f} s of it without a core"
            assert "another process leads this engine now" in first.said or "Fenced" in first.said
        grown = len(watched.batches)
        await eventually(lambda: len(watched.batches) > grown + 3, "the new leader goes on", PATIENCE_S)
        assert {batch.head.engine_epoch for batch in watched.batches[grown:]} == {watched.epochs[1]}
        assert second.process.returncode is None
        await check_journal(bus)


@pytest.mark.timeout(180)
async def test_an_ordered_stop_hands_over_at_once(
    server: NatsServer, settings: Settings, bus: Bus, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        first, _ = await pair(stack, settings, tmp_path)
        watched = await watch(bus)
        first.send(signal.SIGTERM)
        assert await first.ended() == 0
        await eventually(lambda: len(watched.epochs) == 2, "another epoch", PATIENCE_S)
        before = [batch for batch in watched.batches if batch.head.engine_epoch == watched.epochs[0]]
        assert isinstance(before[-1].ticks[-1].event, Shutdown)
        await check_journal(bus)


@pytest.mark.timeout(180)
async def test_who_is_started_again_does_not_wait_for_the_lease_of_its_dead_self(
    server: NatsServer, settings: Settings, bus: Bus, tmp_path: Path
) -> None:
    async with EngineProcess(settings, tmp_path, "engine-1") as first:
        await eventually(lambda: "engine started" in first.said, "the engine leads", PATIENCE_S)
        watched = await watch(bus)
        await eventually(lambda: len(watched.batches) > 3, "the journal grows", PATIENCE_S)
        first.send(signal.SIGKILL)
        await first.ended()
    async with EngineProcess(settings, tmp_path, "engine-1") as again:
        await eventually(lambda: "engine resumed" in again.said, "it goes on", PATIENCE_S)
        assert "standing by" not in again.said, "the lease of the dead was taken at once"
        await eventually(lambda: len(watched.epochs) == 2, "another epoch", PATIENCE_S)
    await check_journal(bus)
