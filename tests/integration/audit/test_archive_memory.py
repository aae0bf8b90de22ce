"""The service with an archive on a memory bus: what it keeps, how it starts, what it says when it cannot."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.audit.fold import Fold
from services.audit.projections.stored import frozen_rows, frozen_short
from tests.integration.audit.test_follow_memory import STREAM, Running, running
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, append_all, messages_of
from tests.support.audit_settings import audit_settings
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.config import Settings
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.positions import JournalMark, read_positions
from tradebus.wire import subjects


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.provision(topology(("demo",), ()))
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return keeping(tmp_path)


def keeping(folder: Path, *, reading_without_key: bool = True, **audit: Any) -> Settings:
    return audit_settings(
        audit={"prune": False, "sync_ms": 20, "segment_bytes": 1 << 20, **audit},
        api={"listen": "127.0.0.1:0", "grpc_listen": "127.0.0.1:0", "reading_without_key": reading_without_key},
        runtime={"data_dir": folder, "http": {"audit": "127.0.0.1:0"}},
    )


def folder_of(settings: Settings) -> Path:
    return settings.runtime.data_dir / "audit" / "demo"


async def archived(audit: Running, position: int) -> None:
    name = "tradebus_archive_position"
    await eventually(lambda: audit.metric(name) >= position, f"message {position} in the archive")


def of_fold(fold: Fold) -> Any:
    return [frozen_short(fold.projections), json.loads(frozen_rows(fold.projections)())]


def rows(audit: Running) -> Any:
    return of_fold(audit.service.fold)


def rows_of(run: EngineRun) -> Any:
    fold = new_fold()
    for message in messages_of(run.batches()):
        fold.take(message)
    return of_fold(fold)


async def test_everything_is_archived_and_said(broker: MemoryBroker, run: EngineRun, settings: Settings) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    async with running(broker, settings) as audit:
        await append_all(engine, "demo", batches)
        await archived(audit, len(batches))
        await eventually(audit.service.positions, "the position")
        assert [(each.subject, each.sequence) for each in audit.service.positions()] == [("audit.demo", len(batches))]
        status: Any = audit.service.status()["archive"]
        assert (status["position"], status["sequence"]) == (len(batches), batches[-1].last)
        assert audit.metric("tradebus_archive_bytes_total", form="stored") > 0

        async def published() -> JournalMark | None:
            positions = await read_positions(engine, subjects.archive_reader("demo"))
            return None if positions is None else positions.mark(STREAM)

        mark = JournalMark(STREAM, len(batches), batches[-1].chain, batches[-1].last + 1)
        while await published() != mark:
            assert audit.service.status()["archive"] == status
    stored = [message.payload for message in Archive(folder_of(settings)).messages()]
    assert stored == [batch.payload for batch in batches]
    await engine.close()


@pytest.mark.parametrize("at", [3, 50, 101])
async def test_restart_with_a_pruned_stream_is_exact_and_complete(
    broker: MemoryBroker, run: EngineRun, settings: Settings, at: int
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:at])
    async with running(broker, settings) as audit:
        await audit.starting
        await archived(audit, at)
    broker.prune(STREAM, at)
    await append_all(engine, "demo", batches[at:], after=at)
    async with running(broker, settings) as audit:
        await audit.starting
        await audit.at(batches[-1].last)
        assert audit.service.fold.hash() == run.engine.hash()
        assert rows(audit) == rows_of(run)
        assert audit.runtime.health.report().ready
        status, body = await audit.get("/v1/audit?from=0&limit=100")
        assert status == 200
        ticks: Any = body["data"]
        assert [tick["sequence"] for tick in ticks] == list(range(100))
    await engine.close()


async def test_an_ordered_stop_leaves_a_checkpoint_at_the_last_tick(
    broker: MemoryBroker, run: EngineRun, settings: Settings
) -> None:
    engine = MemoryBus(broker)
    await append_all(engine, "demo", run.batches())
    async with running(broker, settings) as audit:
        await audit.starting
    last = run.batches()[-1].last
    assert Checkpoints(folder_of(settings)).sequences() == [last]
    async with running(broker, settings) as audit:
        await audit.starting
        assert audit.service.fold.sequence == last
        assert audit.metric("tradebus_replica_batches_total") == 0, "nothing was read again"
        assert rows(audit) == rows_of(run)
        assert audit.service.fold.hash() == run.engine.hash()
    await engine.close()


async def test_damaged_checkpoints_cost_time_and_nothing_else(
    broker: MemoryBroker, run: EngineRun, settings: Settings
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    for start in (0, 40, 80):
        await append_all(engine, "demo", batches[start : start + 40], after=start)
        async with running(broker, settings) as audit:
            await audit.starting
    broker.prune(STREAM, 119)
    checkpoints = Checkpoints(folder_of(settings))
    first, second, third = checkpoints.sequences()
    checkpoints.path(third).write_bytes(b"")
    checkpoints.extras_path(second).write_bytes(checkpoints.extras_path(second).read_bytes()[:-7])
    async with running(broker, settings) as audit:
        await audit.starting
        assert audit.service.fold.sequence == batches[119].last
        assert audit.metric("tradebus_archive_troubles_total", kind="damage") == 2
        assert audit.metric("tradebus_replica_batches_total") == 80, f"from the checkpoint at {first}"
        assert audit.service.fold.is_exact
    await engine.close()


async def test_what_was_pruned_before_it_was_archived_is_a_loud_gap(
    broker: MemoryBroker, run: EngineRun, settings: Settings
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:20])
    async with running(broker, settings) as audit:
        await audit.starting
    await append_all(engine, "demo", batches[20:60], after=20)
    broker.prune(STREAM, 41)
    async with running(broker, settings) as audit:
        await archived(audit, 60)
        await eventually(lambda: "replica" in audit.reasons, "the reason")
        assert "the oldest kept is 41, and the archive does not have it either" in audit.reasons["replica"]
        assert audit.metric("tradebus_archive_troubles_total", kind="gap") == 1
        assert audit.metric("tradebus_replica_exact") == 0
        assert audit.service.fold.sequence == batches[19].last
    assert [message.sequence for message in Archive(folder_of(settings)).messages(41)] == list(range(41, 61))
    await engine.close()


async def test_the_archive_of_another_stream_is_put_aside_in_a_demo(
    broker: MemoryBroker, run: EngineRun, settings: Settings
) -> None:
    engine = MemoryBus(broker)
    await append_all(engine, "demo", run.batches())
    async with running(broker, settings) as audit:
        await audit.starting
    other = EngineRun(events=100, seed=8)
    anew = MemoryBroker()
    anew.provision(topology(("demo",), ()))
    engine_anew = MemoryBus(anew)
    await append_all(engine_anew, "demo", other.batches())
    async with running(anew, settings) as audit:
        await audit.starting
        await archived(audit, len(other.batches()))
        assert audit.service.fold.hash() == other.engine.hash()
        assert audit.runtime.health.report().ready
    aside = list(Archive(folder_of(settings).with_name("demo.1")).messages())
    assert [message.payload for message in aside] == [batch.payload for batch in run.batches()]
    await engine.close()
    await engine_anew.close()


async def test_a_stream_that_lost_its_end_is_told_served_from_the_archive_and_waited_for(
    broker: MemoryBroker, run: EngineRun, settings: Settings
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:90])
    async with running(broker, settings) as audit:
        await audit.starting
    broker.rewind(STREAM, 70)
    async with running(broker, settings) as audit:
        await eventually(lambda: "archive" in audit.reasons, "the reason")
        await eventually(lambda: "journal" in audit.reasons, "the other reason")
        assert "ends before the archive, which has message 90" in audit.reasons["archive"]
        assert "tradebus audit repair" in audit.reasons["journal"]
        assert audit.service.fold.sequence == batches[89].last
        await append_all(engine, "demo", batches[70:], after=70)
        await archived(audit, len(batches))
        await audit.at(batches[-1].last)
        await eventually(lambda: not audit.reasons, "no reason any more")
        assert audit.service.fold.hash() == run.engine.hash()
    stored = [message.payload for message in Archive(folder_of(settings)).messages()]
    assert stored == [batch.payload for batch in batches]
    await engine.close()


async def test_a_full_disk_stops_the_archive_and_nothing_else(
    broker: MemoryBroker, run: EngineRun, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = run.batches()
    engine = MemoryBus(broker)
    await append_all(engine, "demo", batches[:30])
    async with running(broker, settings) as audit:
        await audit.starting
        await archived(audit, 30)
        with monkeypatch.context() as full:

            def no_room(*_: object) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            full.setattr(os, "pwrite", no_room)
            await append_all(engine, "demo", batches[30:60], after=30)
            await eventually(lambda: "archive" in audit.reasons, "the reason")
            assert audit.reasons["archive"] == "the archive cannot be written: No space left on device"
            await audit.at(batches[59].last)
            assert audit.metric("tradebus_archive_position") == 30
        await append_all(engine, "demo", batches[60:], after=60)
        await archived(audit, len(batches))
        assert "archive" not in audit.reasons
    stored = [message.payload for message in Archive(folder_of(settings)).messages()]
    assert stored == [batch.payload for batch in batches]
    await engine.close()
