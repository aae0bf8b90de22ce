"""The archive of a process on a real NATS server: killed, its stream pruned, and exact again."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from services.audit.pruner import Pruner, PrunerConfig
from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle
from tests.integration.audit.test_follow_nats import hash_of
from tests.support.audit_process import AuditProcess
from tests.support.audit_run import EngineRun, append_all
from tests.support.nats_server import NatsServer
from tests.support.system import until
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.purging import NatsPurger, StreamPurger
from tradebus.journal.archive.archive import Archive
from tradebus.journal.positions import JournalMark, publish_positions, read_positions
from tradebus.journal.pruning import PrunedStream
from tradebus.wire import subjects

ARCHIVE = {"archive": True, "sync_ms": 20, "prune": False}


async def archived(bus: NatsBus, engine: str, position: int) -> JournalMark:
    """Return the archive's mark once it is at a message."""

    async def reached() -> JournalMark | None:
        positions = await read_positions(bus, subjects.archive_reader(engine))
        mark = None if positions is None else positions.mark(subjects.audit_stream(engine))
        return mark if mark is not None and mark.position >= position else None

    mark: JournalMark = await until(reached, f"message {position} in the archive")
    return mark


async def test_audit_killed_while_its_stream_is_pruned_is_exact_and_complete_again(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    engine_id = "demo" + unique("e").replace("-", "")
    stream = subjects.audit_stream(engine_id)
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    purger = await NatsPurger.connect(nats_server.options("pruner"))
    async with AuditProcess(engine_id, nats_server.url, tmp_path, audit=ARCHIVE) as audit:
        for start, end in ((0, 50), (50, 90)):
            await audit.wait_ready()
            await append_all(engine, engine_id, batches[start:end], after=start)
            mark = await archived(engine, engine_id, end)
            assert mark.fingerprint == batches[end - 1].chain
            await audit.kill()
            assert await purger.purge(stream, end) == end - max(start, 1)
            await audit.start()
        await append_all(engine, engine_id, batches[90:], after=90)
        await audit.wait_sequence(batches[-1].last)
        status = await audit.status()
        assert status["hash"] == hash_of(run)
        assert (status["ticks"], status["events"]) == (len(run.ticks), run.market_events)
        assert status["verification"]["unequal"] == 0 < status["verification"]["equal"]
        code, body = await audit.get("/v1/audit?from=0&limit=200")
        assert code == 200
        assert [tick["sequence"] for tick in body["data"]] == list(range(200))
        assert await audit.stop() == 0
    archive = Archive(tmp_path / "audit" / engine_id)
    assert [message.payload for message in archive.messages()] == [batch.payload for batch in batches]
    await purger.close()
    await engine.close()


async def test_the_pruner_shortens_a_real_stream_to_the_slowest_reader(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun
) -> None:
    batches = run.batches()
    engine_id = unique("engine")
    stream = subjects.audit_stream(engine_id)
    await nats_server.provision((engine_id,))
    bus = await NatsBus.connect(nats_server.options("audit"))
    last = await append_all(bus, engine_id, batches)
    readers = (subjects.engine_reader(engine_id), subjects.archive_reader(engine_id))
    for reader, position in zip(readers, (50, last), strict=True):
        mark = JournalMark(stream, position, batches[position - 1].chain)
        await publish_positions(bus, reader, "test", (mark,))

    async def connect() -> StreamPurger:
        return await NatsPurger.connect(nats_server.options("pruner"))

    pruned = PrunedStream(stream, readers)
    log: BoundLogger = get_logger("test")
    health = Health(Lifecycle(), lambda _report: None)
    config = PrunerConfig((pruned,), prunes=True, retention_s=0.0)
    pruner = Pruner(bus, connect, config, CollectorRegistry(), health, log)
    await pruner.look(pruned)
    assert (await bus.journal_state(stream)).first_sequence == 50
    await publish_positions(bus, readers[0], "test", (JournalMark(stream, last, batches[-1].chain),))
    await pruner.look(pruned)
    state = await bus.journal_state(stream)
    assert (state.first_sequence, state.last_sequence, state.messages) == (last, last, 1)
    await bus.append(subjects.audit(engine_id), b"x", expected_last_sequence=last)
    await pruner.close()
    await bus.close()


async def test_the_service_prunes_what_everybody_has_safe(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    engine_id = "demo" + unique("e").replace("-", "")
    stream = subjects.audit_stream(engine_id)
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    last = await append_all(engine, engine_id, batches)
    for reader, position in ((subjects.engine_reader(engine_id), 60), (subjects.owner_reader("sim_alpha-paper"), last)):
        await publish_positions(engine, reader, "test", (JournalMark(stream, position, batches[position - 1].chain),))
    settings = {**ARCHIVE, "prune": True, "retention_hours": 0}
    async with AuditProcess(engine_id, nats_server.url, tmp_path, audit=settings) as audit:
        await archived(engine, engine_id, last)

        async def pruned() -> bool:
            return (await engine.journal_state(stream)).first_sequence == 60

        await until(pruned, "the stream is shortened")
        await audit.wait_ready()
        streams = (await audit.status())["streams"]
        assert streams[stream]["held_by"] == subjects.engine_reader(engine_id)
        assert (await audit.status())["hash"] == hash_of(run)
    await engine.close()
