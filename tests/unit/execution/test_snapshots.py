"""A new owner goes on from a snapshot, wherever it is kept, and from the journals where none is sound."""

from pathlib import Path

import pytest

from services.execution import owner, sharing, snapshotting
from services.execution.snapshot_files import KEPT_MAX, SnapshotFiles
from services.execution.snapshotting import Snapshotting
from services.execution.stored import SnapshotUnreadable, read_stored, stored
from tests.golden.wire.simulation import full_paper_snapshot
from tests.support.audit_run import EngineRun, append_all
from tests.support.engine_service import on_memory
from tests.support.execution_service import (
    ACCOUNTS,
    RunningExecution,
    events_of,
    journaled,
    running_execution,
)
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.memory_bucket import MemoryBucket
from tradebus.bus.message import Entry
from tradebus.journal.positions import read_positions
from tradebus.wire import subjects

AUDIT = "AUDIT_demo"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(owner, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(snapshotting, "SNAPSHOT_PERIOD_S", 0.01)


class World:
    """A broker, an engine's batches, and a volume for the execution service."""

    def __init__(self, broker: MemoryBroker, bus: MemoryBus, run: EngineRun, folder: Path) -> None:
        self.broker, self.bus, self.run, self.folder = broker, bus, run, folder
        self.batches = run.batches()
        self.written = 0

    async def writes(self, count: int) -> None:
        end = min(self.written + count, len(self.batches))
        await append_all(self.bus, "demo", self.batches[self.written : end], self.written)
        self.written = end

    async def lives(self, count: int, *, is_stopped: bool = False, folder: Path | None = None) -> RunningExecution:
        """Run an owner while so many more batches are written, until its snapshots hold them all."""
        async with running_execution(
            on_memory(self.broker), folder=folder or self.folder, is_stopped=is_stopped
        ) as execution:
            await self.writes(count)
            await eventually(lambda: execution.sequence == self.batches[self.written - 1].last)
            await eventually(lambda: all(execution.account(name)["unseen"] == 0 for name in ACCOUNTS))
            for account in ACCOUNTS:
                await eventually(lambda: announced(execution, account) >= self.written)  # noqa: B023 - awaited at once
            # One taken while the last events were on their way into the account's journal is followed by another.
            newest = execution.service._snapshots._written
            for owner in execution.service._owners:
                await eventually(
                    lambda: newest[owner.account.name] == (self.written, owner.follower.position)  # noqa: B023
                )
        return execution

    async def check(self, *, is_complete: bool = True) -> None:
        for account in ACCOUNTS:
            found = await journaled(self.bus, account)
            assert found == events_of(self.run, account)[: len(found)]
            assert not is_complete or len(found) >= len(events_of(self.run, account)) - 8

    def files(self) -> SnapshotFiles:
        return SnapshotFiles(self.folder / "execution" / "demo")


@pytest.fixture
def world(broker: MemoryBroker, other_bus: MemoryBus, run: EngineRun, tmp_path: Path) -> World:
    return World(broker, other_bus, run, tmp_path / "volume")


def folded(execution: RunningExecution) -> int:
    """Return how many ticks a process folded itself."""
    value = execution.runtime.metrics.registry.get_sample_value("tradebus_execution_ticks_total")
    assert value is not None
    return int(value)


def announced(execution: RunningExecution, account: str) -> int:
    """Return behind which message of the audit journal the newest proven snapshot of an account is."""
    registry = execution.runtime.metrics.registry
    value = registry.get_sample_value("tradebus_execution_snapshot_position", {"account": account})
    return -1 if value is None else int(value)


async def remove_from_bucket(world: World) -> None:
    for account in ACCOUNTS:
        await world.bus.bucket(subjects.SNAPSHOTS).delete(subjects.paper_snapshot(account))


@pytest.mark.parametrize("kept", ["both", "file", "bucket"])
async def test_a_new_owner_folds_only_what_came_behind_the_snapshot(world: World, kept: str, tmp_path: Path) -> None:
    await world.lives(30)
    if kept == "file":
        await remove_from_bucket(world)
    behind = sum(batch.last - batch.first + 1 for batch in world.batches[30:40])
    second = await world.lives(10, folder=tmp_path / "elsewhere" if kept == "bucket" else None)
    assert folded(second) == behind
    third = await world.lives(1000, folder=tmp_path / "elsewhere" if kept == "bucket" else None)
    assert folded(third) < world.batches[-1].last
    await world.check()


async def test_journals_that_are_pruned_up_to_the_marks_are_enough(world: World) -> None:
    await world.lives(40)
    before = {account: await journaled(world.bus, account) for account in ACCOUNTS}
    for account in ACCOUNTS:
        found = await read_positions(world.bus, subjects.owner_reader(account))
        assert found is not None
        assert found.instance == "execution-1"
        audit, journal = found.mark(AUDIT), found.mark(subjects.acct_stream(account))
        assert audit is not None
        assert journal is not None
        assert audit.position == 40
        assert audit.next_sequence == world.batches[39].last + 1
        assert journal.position == (await world.bus.journal_state(journal.stream)).last_sequence
        assert journal.next_sequence == len(before[account]) + 1, "the events and the ownership"
        world.broker.prune(journal.stream, journal.position)
    world.broker.prune(AUDIT, 40)
    await world.lives(1000)
    for account in ACCOUNTS:
        stream = subjects.acct_stream(account)
        state = await world.bus.journal_state(stream)
        assert state.first_sequence > 1, "nothing came back"
    second = await world.lives(0, is_stopped=True)
    for account in ACCOUNTS:
        known = second.account(account)
        assert known["held"] == known["unseen"] == 0
        owned = 3  # as often as there was an owner
        assert known["entries"] - owned >= len(events_of(world.run, account)) - 8


async def test_an_ordered_stop_leaves_a_snapshot_of_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshotting, "SNAPSHOT_PERIOD_S", 3600.0)
    async with running_execution(on_memory(world.broker), folder=world.folder) as first:
        await world.writes(1000)
        await eventually(lambda: first.sequence == world.batches[-1].last)
    async with running_execution(on_memory(world.broker), folder=world.folder) as second:
        assert folded(second) == 0
        assert second.account("alpha-paper")["open_orders"] == first.account("alpha-paper")["open_orders"]
    await world.check()


async def test_damaged_snapshots_are_not_used(world: World) -> None:
    await world.lives(30)
    damaged = 0
    for account in ACCOUNTS:
        for path in world.files().paths(account):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(bytes(content))
            damaged += 1
        await world.bus.bucket(subjects.SNAPSHOTS).put(subjects.paper_snapshot(account), b"garbage")
    assert damaged >= 2
    second = await world.lives(1000)
    assert folded(second) == world.batches[-1].last + 1, "from the beginning"
    await world.check()


async def test_an_older_snapshot_is_used_where_the_newest_is_damaged(world: World) -> None:
    await world.lives(30)
    await world.lives(10)
    await remove_from_bucket(world)
    for account in ACCOUNTS:
        newest, *older = world.files().paths(account)
        newest.write_bytes(newest.read_bytes()[:-1])
        assert older
    second = await world.lives(1000)
    assert 0 < folded(second) < world.batches[-1].last
    await world.check()


async def test_a_snapshot_of_journals_that_were_made_anew_is_not_used(world: World) -> None:
    await world.lives(30)
    world.broker.rewind(AUDIT, 0)
    for account in ACCOUNTS:
        world.broker.rewind(subjects.acct_stream(account), 0)
    world.written = 0
    async with running_execution(on_memory(world.broker), folder=world.folder) as second:
        assert second.sequence == -1
        await world.writes(1000)
        await eventually(lambda: second.sequence == world.batches[-1].last)
    assert folded(second) == world.batches[-1].last + 1
    await world.check()


async def test_an_owner_that_was_paused_does_not_replace_the_snapshot_of_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshotting, "SNAPSHOT_PERIOD_S", 3600.0)
    async with running_execution(on_memory(world.broker), folder=world.folder) as first:
        await world.writes(30)
        await eventually(lambda: first.sequence == world.batches[29].last)
        bucket = first.bus.bucket(subjects.SNAPSHOTS)
        key = subjects.paper_snapshot("alpha-paper")
        get = MemoryBucket.get

        async def paused(self: MemoryBucket, asked: str) -> Entry | None:
            """Come back from a pause in the middle of writing: the next owner has written, our time is over."""
            if asked == key:
                monkeypatch.setattr(MemoryBucket, "get", get)
                await self.put(key, b"the snapshot of the next owner")
                for each in first.service._owners:
                    each._lease._expires_s = 0.0
            return await get(self, asked)

        monkeypatch.setattr(MemoryBucket, "get", paused)
        await first.service._snapshots.write_all()
        kept = await bucket.get(key)
        assert kept is not None
        assert kept.value == b"the snapshot of the next owner"
        assert await read_positions(first.bus, subjects.owner_reader("alpha-paper")) is None
        monkeypatch.setattr(Snapshotting, "write_all", _nothing)


async def _nothing(_: Snapshotting) -> None:
    """Leave no snapshot at the stop."""


async def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    files = SnapshotFiles(tmp_path / "new" / "folder")
    for position in range(1, 8):
        path = files.write("a-paper", position, b"content")
        assert path.read_bytes() == b"content"
    anew = files.write("a-paper", 2, b"of a journal that was made anew")
    assert files.paths("a-paper")[0] == anew, "it is the newest, whatever position it has"
    files.write("b-paper", 1, b"")
    assert [path.name for path in files.paths("a-paper")] == [
        f"a-paper.{position:016d}.snapshot" for position in (2, 7, 6)
    ]
    assert KEPT_MAX == 3
    assert len(files.paths("b-paper")) == 1
    assert [path for path in files.folder.iterdir() if path.suffix == ".tmp"] == []


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    kept = stored(full_paper_snapshot())
    assert repr(read_stored(kept, "alpha-paper")) == repr(full_paper_snapshot())
    for position in range(0, len(kept), 3):
        with pytest.raises(SnapshotUnreadable):
            read_stored(kept[:position] + bytes([kept[position] ^ 4]) + kept[position + 1 :], "alpha-paper")
        with pytest.raises(SnapshotUnreadable):
            read_stored(kept[:position], "alpha-paper")


def test_a_snapshot_of_another_account_is_refused() -> None:
    with pytest.raises(SnapshotUnreadable, match="expected the account 'beta-paper', found 'alpha-paper'"):
        read_stored(stored(full_paper_snapshot()), "beta-paper")
