"""The service on a memory bus: follows, tells the truth about what it cannot follow, and starts over where it must."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest

from services.audit.bootstrap import build
from services.audit.config import AuditConfig
from services.audit.service import AuditService
from services.runtime import CannotListen, Runtime
from tests.support.audit_run import EngineRun, append_all
from tests.support.audit_settings import audit_settings
from tests.support.system import until
from tests.support.waiting import eventually
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.config import Settings
from tradebus.journal.sealed import sealed
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.integrity import verify_checksum

STREAM = "AUDIT_demo"


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.provision(topology(("demo",), ()))
    return made


class Running:
    """A service between start and stop."""

    def __init__(self, runtime: Runtime, service: AuditService, starting: "asyncio.Task[None]") -> None:
        self.runtime = runtime
        self.service = service
        self.starting = starting

    @property
    def reasons(self) -> dict[str, str]:
        return self.runtime.health.report().reasons

    @property
    def url(self) -> str:
        assert self.service.address is not None
        return self.service.address.url

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, object]]:
        async with aiohttp.ClientSession(headers=headers) as session, session.get(self.url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def at(self, sequence: int) -> None:
        await eventually(lambda: self.service.fold.sequence >= sequence, f"the replica at {sequence}")

    def metric(self, name: str, **labels: str) -> float:
        value = self.runtime.metrics.registry.get_sample_value(name, labels)
        assert value is not None, name
        return value


@asynccontextmanager
async def running(broker: MemoryBroker, settings: Settings | None = None) -> AsyncIterator[Running]:
    """Run the service; its start goes on in the background, as it does in a process."""
    runtime = Runtime("audit", "audit-1", settings or audit_settings())

    async def connect(listener: Listener) -> Bus:
        return MemoryBus(broker, listener=listener)

    bus = await runtime.connect(connect)
    service = await build(runtime, AuditConfig.of(runtime.settings), bus)

    async def start() -> None:
        await service.start()
        runtime.health.started()

    starting = asyncio.create_task(start())
    try:
        yield Running(runtime, service, starting)
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await service.stop()
        await runtime.close()


async def test_a_growing_journal_is_followed_to_its_end(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:30])
    async with running(broker) as audit:
        await audit.starting
        assert audit.service.fold.sequence == batches[29].last
        assert audit.runtime.health.report().ready
        await append_all(engine, "demo", batches[30:], after=30)
        await audit.at(batches[-1].last)
        fold = audit.service.fold
        assert fold.hash() == run.engine.hash()
        assert fold.is_exact
        assert audit.metric("tradebus_replica_hash_checks_total", result="equal") == fold.verification.equal > 0
        assert audit.metric("tradebus_replica_ticks_total") == len(run.ticks)
        assert audit.metric("tradebus_replica_batches_total") == len(batches)
        assert audit.metric("tradebus_replica_sequence") == fold.sequence
        assert audit.metric("tradebus_bus_connected") == 1
        status, body = await audit.get("/v1/state")
        assert (status, body["sequence"]) == (200, batches[-1].last)
    await engine.close()


async def test_restart_in_the_middle_builds_the_same_state_from_the_stream(
    broker: MemoryBroker, run: EngineRun
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    middle = len(batches) // 2
    await append_all(engine, "demo", batches[:middle])
    async with running(broker) as first:
        await first.starting
        seen = first.service.fold.hash()
    await append_all(engine, "demo", batches[middle:], after=middle)
    async with running(broker) as second:
        await second.starting
        assert second.service.fold.hash() == run.engine.hash() != seen
        assert second.service.fold.projections.counts.market_events == run.market_events
    await engine.close()


async def test_waits_for_the_stream_and_says_so(run: EngineRun) -> None:
    broker = MemoryBroker()
    async with running(broker) as audit:
        await eventually(lambda: audit.reasons.get("journal"))
        assert audit.reasons["journal"] == f"there is no stream {STREAM} yet"
        assert (await audit.get("/health/ready"))[0] == 503
        assert (await audit.get("/v1/state"))[0] == 503
        broker.provision(topology(("demo",), ()))
        await audit.starting
        assert audit.runtime.health.report().ready
        engine = MemoryBus(broker)
        await append_all(engine, "demo", run.batches()[:3])
        await audit.at(run.batches()[2].last)
        await engine.close()


async def test_malformed_batch_is_kept_and_nothing_after_it_is_believed(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:20])
    bad = sealed(b"this is no batch", batches[20].first, batches[20].last)
    await append_all(engine, "demo", [bad, *batches[21:30]], after=20)
    async with running(broker) as audit:
        await audit.starting
        report = audit.runtime.health.report()
        assert not report.ready
        assert report.reasons["replica"].startswith(f"stopped at sequence {batches[19].last}: ")
        assert audit.metric("tradebus_replica_breaks_total", kind="malformed") == 1
        assert audit.metric("tradebus_replica_exact") == 0
        assert audit.service.fold.skipped == 9
        status, body = await audit.get("/v1/trading")
        assert status == 200
        assert body["sequence"] == batches[19].last
        verification = body["verification"]
        assert isinstance(verification, dict)
        assert verification["equal"] is False
        assert (await audit.get("/health/ready"))[0] == 503
        await eventually(lambda: audit.metric("tradebus_dead_letters_total") == 1)

        stored = await until(lambda: engine.last_message("DLQ"), "the dead letter")
        assert stored.subject == "dlq.audit"
        verify_checksum(stored.payload, stored.headers)
        letter = dead_letter_from_bytes(stored.payload)
        assert letter.payload == b"this is no batch"
        assert letter.subject == "audit.demo"
        assert letter.reason.startswith("message 21: ")
    await engine.close()


async def test_gap_in_the_ticks_is_told_and_the_service_goes_on_answering(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", [*batches[:20], *batches[21:25]])
    async with running(broker) as audit:
        await audit.starting
        broken = audit.service.fold.broken
        assert broken is not None
        assert f"expected ticks from {batches[20].first}, found {batches[21].first}" in broken.reason
        assert audit.metric("tradebus_replica_breaks_total", kind="gap") == 1
        assert (await audit.get("/health/live"))[0] == 200
        assert (await audit.get("/health/ready"))[0] == 503
        assert not audit.runtime.stopping.is_set()
    await engine.close()


async def test_state_that_differs_is_loud(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:20])
    async with running(broker) as audit:
        await audit.starting
        audit.service.fold.state.instruments[0].exits.count += 1
        await append_all(engine, "demo", batches[20:], after=20)
        await audit.at(batches[-1].last)
        assert audit.metric("tradebus_replica_hash_checks_total", result="unequal") > 0
        assert audit.metric("tradebus_replica_exact") == 0
        report = audit.runtime.health.report()
        assert "the replica's state is not the engine's at sequence" in report.reasons["replica hash"]
        assert (await audit.get("/health/ready"))[0] == 503
        _, body = await audit.get("/status")
        data = body["data"]
        assert isinstance(data, dict)
        assert data["is_exact"] is False
        assert data["hash"]["core"] != run.engine.hash().core
    await engine.close()


async def test_lost_bus_is_told_and_reading_goes_on_afterwards(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:10])
    async with running(broker) as audit:
        await audit.starting
        broker.start_outage()
        await eventually(lambda: "bus" in audit.reasons)
        assert (await audit.get("/health/ready"))[0] == 503
        status, body = await audit.get("/v1/state")
        assert (status, body["sequence"]) == (200, batches[9].last)
        broker.end_outage()
        await append_all(engine, "demo", batches[10:], after=10)
        await audit.at(batches[-1].last)
        await eventually(lambda: audit.runtime.health.report().ready)
        assert audit.service.fold.hash() == run.engine.hash()
    await engine.close()


async def test_stream_that_was_lost_behind_our_back_ends_the_service(broker: MemoryBroker, run: EngineRun) -> None:
    """A replica of a journal that is no more must not pass for one: the next start builds a new one."""
    engine = MemoryBus(broker)
    await append_all(engine, "demo", run.batches()[:10])
    async with running(broker) as audit:
        await audit.starting
        broker.start_outage()
        broker.rewind(STREAM, 3)
        broker.end_outage()
        await asyncio.wait_for(audit.runtime.stopping.wait(), 5)
        assert audit.runtime.failure is not None
        assert "JournalRewound" in audit.runtime.failure
    await engine.close()


async def test_lag_is_measured_against_the_end_of_the_stream(broker: MemoryBroker, run: EngineRun) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:10])
    async with running(broker) as audit:
        await audit.starting
        follower = audit.service.follower
        await follower.stop()
        await append_all(engine, "demo", batches[10:], after=10)
        await follower.watch.look(pytest.fail)
        lag = follower.watch.lag
        assert lag.messages == len(batches) - 10
        assert lag.events == batches[-1].last - batches[9].last
        assert lag.ms >= 0
        await eventually(lambda: audit.metric("tradebus_replica_lag_events") == lag.events)
        _, body = await audit.get("/health/ready")
        replica = body["replica"]
        assert isinstance(replica, dict)
        assert replica["lag_events"] == lag.events
    await engine.close()


async def test_many_batches_do_not_hold_up_the_loop(broker: MemoryBroker) -> None:
    """While a long journal is folded, other work in the loop gets a turn after at most a batch or so."""
    long = EngineRun(events=2_500, hash_every=256)
    engine = MemoryBus(broker)
    await append_all(engine, "demo", long.batches())
    async with running(broker) as audit:
        turns: list[int] = []
        while not audit.starting.done():
            turns.append(audit.service.fold.ticks)
            await asyncio.sleep(0)
        steps = [after - before for before, after in pairwise(turns)]
        assert audit.service.fold.ticks == len(long.ticks)
        assert max(steps) <= 512 + 16
    await engine.close()


async def test_taken_port_is_refused_with_words(broker: MemoryBroker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = audit_settings(
            api={"listen": f"127.0.0.1:{port}", "grpc_listen": "127.0.0.1:0", "reading_without_key": True}
        )
        with pytest.raises(CannotListen, match=rf"port {port} is already in use.*`api.listen`"):
            async with running(broker, settings):
                pytest.fail("it must not run")
