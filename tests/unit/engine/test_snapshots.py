"""Snapshots of an engine: of what is on disk, proven when read, and never begun with when they do not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.engine import live
from services.engine import started as started_module
from services.engine.recovery import WentBackwards
from services.engine.snapshot_store import SnapshotNotes, SnapshotRefused, SnapshotStore
from services.engine.snapshotting import Snapshotting
from services.engine.switched_off import SwitchedOff
from services.runtime import Runtime
from tests.support.audit_run import EngineRun
from tests.support.engine_service import (
    TestMarket,
    check_hashes,
    engine_settings,
    memory_broker,
    on_memory,
    read_journal,
    running_engine,
    ticks_of,
)
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.config import Settings
from tradebus.config.sections.engine import SnapshotSettings
from tradebus.core.engine.audit.replica import Replica
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.journal.positions import read_positions
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes

STREAM = "AUDIT_demo"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.005)


@pytest.fixture(scope="module")
def run() -> EngineRun:
    """A finished run of the engine `demo`. Tests only read it."""
    return EngineRun(events=100)


@pytest.fixture
def settings() -> Settings:
    return engine_settings()


@pytest.fixture
def broker(settings: Settings) -> MemoryBroker:
    return memory_broker(settings)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path, STREAM, "demo", 3)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.ckp"))


async def run_once(settings: Settings, broker: MemoryBroker, bus: MemoryBus, store: SnapshotStore, epoch: int) -> int:
    """Run an engine for some market events and stop it in order; return how many ticks it replayed at its start."""
    async with running_engine(settings, on_memory(broker), store=store) as engine:
        market = TestMarket(bus, settings.indexed_instruments(), publisher=f"market-{epoch}", epoch=epoch)
        market.publish(*market.trades(5))
        await eventually(lambda: engine.status["market_events"] == 5)
        recovered = engine.service._recovered  # type: ignore[attr-defined]
        return 0 if recovered is None else int(recovered.ticks)


async def test_an_ordered_stop_leaves_nothing_to_replay(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore, tmp_path: Path
) -> None:
    replayed = [await run_once(settings, broker, other_bus, store, epoch) for epoch in range(1, 7)]
    assert replayed == [0] * 6
    assert len(files(tmp_path)) == 3, "so many are kept"
    batches = await read_journal(other_bus, "demo")
    assert check_hashes(batches, Replica(load_data)) == len(batches)
    positions = await read_positions(other_bus, subjects.engine_reader("demo"))
    assert positions is None, "nothing was recorded behind the last one that would prove it"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("damage", [_flip, _cut, Path.unlink, lambda path: path.with_suffix(".ckx").unlink()])
async def test_a_damaged_snapshot_is_named_and_an_older_one_taken_then_the_whole_journal(
    settings: Settings,
    broker: MemoryBroker,
    other_bus: MemoryBus,
    store: SnapshotStore,
    tmp_path: Path,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    await run_once(settings, broker, other_bus, store, 1)
    await run_once(settings, broker, other_bus, store, 2)
    sequences = [tick.sequence for tick in ticks_of(await read_journal(other_bus, "demo"))]
    newest = files(tmp_path)[-1]
    damage(newest)
    replayed = await run_once(settings, broker, other_bus, store, 3)
    assert 0 < replayed < len(sequences)
    said = capsys.readouterr().out
    assert damage is Path.unlink or ("snapshot refused, trying an older one" in said and newest.name[:-4] in said)
    end = len(ticks_of(await read_journal(other_bus, "demo")))
    for path in files(tmp_path):
        _cut(path)
    assert await run_once(settings, broker, other_bus, store, 4) == end


async def test_a_journal_behind_its_snapshot_is_not_gone_on_with(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore
) -> None:
    await run_once(settings, broker, other_bus, store, 1)
    with pytest.raises(WentBackwards, match=r"AUDIT_demo: it ends at message 0, .* taken at \d+; .*audit repair"):
        await run_once(settings, memory_broker(settings), other_bus, store, 2)
    other = memory_broker(settings)
    bus = MemoryBus(other)
    empty = SnapshotStore(store.path(0).parent / "other", STREAM, "demo", 3)
    for epoch in (1, 2):
        await run_once(settings, other, bus, empty, epoch)
    with pytest.raises(WentBackwards, match=r"has the chain hash .* in the snapshot .* it is"):
        await run_once(settings, other, bus, store, 3)
    await bus.close(0.1)


async def test_a_snapshot_of_other_code_is_not_believed_while_the_whole_journal_is_there(
    settings: Settings,
    broker: MemoryBroker,
    other_bus: MemoryBus,
    store: SnapshotStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await run_once(settings, broker, other_bus, store, 1)
    ticks = ticks_of(await read_journal(other_bus, "demo"))
    monkeypatch.setattr(started_module, "code_version", lambda _folder: "newer")
    assert await run_once(settings, broker, other_bus, store, 2) == len(ticks)


# ------------------------------------------------------------------------------ the files


def payload_of(run: EngineRun) -> bytes:
    engine = run.engine
    return snapshot_to_bytes(
        snapshot_of(
            engine.started,
            engine.state,
            sequence=engine.sequence - 1,
            time_ns=engine.time_ns,
            epoch=1,
            config_fingerprint="",
        )
    )


def head_of(run: EngineRun, *, engine_id: str = "demo", stream: str = STREAM) -> CheckpointHead:
    engine = run.engine
    return CheckpointHead(stream, 9, "ab" * 16, engine.sequence - 1, engine.time_ns, 0, engine_id, 1)


def test_what_was_written_is_read(run: EngineRun, store: SnapshotStore) -> None:
    notes = SnapshotNotes(3, "operator")
    written = store.write(head_of(run), payload_of(run), notes)
    [found] = list(store.readable(pytest.fail))
    assert found.head == written.head == store.newest() == head_of(run)
    assert found.snapshot.state == run.engine.state
    assert found.notes == notes


def test_a_snapshot_stays_while_it_is_proven_and_until_another_one_is(run: EngineRun, store: SnapshotStore) -> None:
    head = head_of(run)
    store.write(head, payload_of(run), SnapshotNotes(0, ""))
    kept = store.path(head.sequence).read_bytes()
    for sequence in range(1, 4):  # older files beside it; it is the newest, and not among those that are kept
        store.path(sequence).write_bytes(kept)
    few = SnapshotStore(store.path(0).parents[1], STREAM, "demo", 1)
    few.begin_proof(2)
    few.prove(3)
    few.write(head, payload_of(run), SnapshotNotes(0, ""))
    assert [store.path(sequence).exists() for sequence in (1, 2, 3, head.sequence)] == [False, True, True, True]


@pytest.mark.parametrize(("engine_id", "stream"), [("other", STREAM), ("demo", "AUDIT_other")])
def test_a_snapshot_of_another_engine_is_refused(
    run: EngineRun, store: SnapshotStore, engine_id: str, stream: str
) -> None:
    with pytest.raises(SnapshotRefused, match=r"\.ckp: expected a snapshot of engine 'demo' in AUDIT_demo, found"):
        store.write(head_of(run, engine_id=engine_id, stream=stream), payload_of(run), SnapshotNotes(0, ""))


def test_a_snapshot_of_an_unknown_version_is_refused_by_name(run: EngineRun, store: SnapshotStore) -> None:
    payload = payload_of(run)
    assert payload[:2] == b"\x08\x01", "the version comes first"
    with pytest.raises(SnapshotRefused, match=r"\.ckp.*format_version: expected 1, found 9"):
        store.write(head_of(run), b"\x08\x09" + payload[2:], SnapshotNotes(0, ""))


async def test_only_what_is_on_disk_becomes_a_snapshot(
    run: EngineRun, settings: Settings, broker: MemoryBroker, store: SnapshotStore, tmp_path: Path
) -> None:
    runtime = Runtime("engine", "engine-1", settings)
    bus = await runtime.connect(on_memory(broker))
    snapshots = Snapshotting(runtime, bus, run.engine, store, SnapshotSettings(), 0, SwitchedOff())
    last = run.ticks[-1]
    snapshots.take(last, run.engine.hash())
    assert not snapshots.is_due(), "one at a time"
    snapshots.durable(last.sequence - 1, 8, "00" * 16)
    await snapshots.finish()
    assert files(tmp_path) == []
    snapshots.durable(last.sequence, 9, "ab" * 16)
    await snapshots.finish()
    assert [path.stem for path in files(tmp_path)] == [f"{last.sequence:020d}"]
    assert snapshots.sequence == last.sequence
    snapshots.take(last, run.engine.hash())
    snapshots.durable(last.sequence + 5, 10, "ab" * 16)
    await snapshots.finish()
    assert len(files(tmp_path)) == 1, "its batch did not end there"
    await runtime.close()


async def test_a_disk_that_is_full_is_told_and_the_engine_goes_on(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    store = SnapshotStore(blocked, STREAM, "demo", 3)
    once = engine_settings(engine={"snapshot": {"ticks": 1}})
    async with running_engine(once, on_memory(broker), store=store) as engine:
        market = TestMarket(other_bus, settings.indexed_instruments())
        market.publish(*market.trades(5))
        await eventually(lambda: "snapshot" in engine.reasons)
        market.publish(*market.trades(5))
        await eventually(lambda: engine.status["market_events"] == 10)
    assert engine.runtime.failure is None
