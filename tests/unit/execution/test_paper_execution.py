"""Simulated accounts on a memory bus: nothing lost, nothing doubled, and the truth told about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence

import pytest

from services.execution import account as account_module
from services.execution import account_journal, owner, sharing
from services.execution.account_journal import AccountJournal, account_end
from services.execution.following import AccountFollower
from services.execution.paper import PaperExecution
from services.execution.snapshotting import Snapshotting
from services.runtime import journal_writing
from tests.support.audit_run import EngineRun, append_all
from tests.support.builders import fill, filled
from tests.support.engine_service import engine_settings, on_memory, turns
from tests.support.execution_service import (
    ACCOUNTS,
    Ended,
    RunningExecution,
    events_of,
    journaled,
    owners,
    read_account,
    running_execution,
)
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage
from tradebus.bus.topology import topology
from tradebus.core.engine.event import AccountEvent
from tradebus.journal import writer as writer_module
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import account_batch_from_bytes


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(journal_writing, "LOOK_PERIOD_S", 0.005)
    monkeypatch.setattr(journal_writing, "STALLED_S", 0.05)
    monkeypatch.setattr(writer_module, "RETRY_FIRST_S", 0.002)
    monkeypatch.setattr(writer_module, "RETRY_MAX_S", 0.01)
    monkeypatch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sharing, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(owner, "ASK_PERIOD_S", 0.01)


@pytest.fixture(autouse=True)
def without_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here is about what is found in the journals themselves."""

    async def nothing(self: object) -> None:
        """Leave no snapshot."""

    monkeypatch.setattr(Snapshotting, "write_all", nothing)


@pytest.fixture
async def execution(broker: MemoryBroker) -> AsyncIterator[RunningExecution]:
    async with running_execution(on_memory(broker)) as execution:
        yield execution


class Engine:
    """Writes the journal of a run, as the engine does."""

    def __init__(self, bus: MemoryBus, run: EngineRun) -> None:
        self.batches: Sequence[SealedBatch] = run.batches()
        self._bus = bus
        self._written = 0

    async def writes(self, count: int | None = None) -> int:
        """Write so many more batches, all that are left unless told otherwise; return the last tick written."""
        end = len(self.batches) if count is None else self._written + count
        await append_all(self._bus, "demo", self.batches[self._written : end], self._written)
        self._written = end
        return self.batches[end - 1].last


@pytest.fixture
def engine(other_bus: MemoryBus, run: EngineRun) -> Engine:
    return Engine(other_bus, run)


async def folded_to(execution: RunningExecution, sequence: int) -> None:
    await eventually(lambda: execution.sequence == sequence, f"tick {sequence}")


async def hold_of(bus: MemoryBus, run: EngineRun, owned: int = 1) -> None:
    """Check that every account's journal holds the run's events once, in order, and had so many owners."""
    for account in ACCOUNTS:
        found = await journaled(bus, account)
        assert found == events_of(run, account)[: len(found)]
        assert len(found) >= len(events_of(run, account)) - 8, "but for what is on its way at the end"
        taken = await owners(bus, account)
        assert len(taken) == owned
        batches = await read_account(bus, account)
        firsts = [number for number, batch in enumerate(batches, 1) if batch.head.owner_epoch == number]
        assert [epoch for _, epoch in taken] == firsts


async def test_what_falls_due_stands_in_the_journal_once_and_in_order(
    execution: RunningExecution, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    assert execution.is_ready
    await folded_to(execution, await engine.writes())
    await execution.service.stop()
    await hold_of(other_bus, run)
    for account in ACCOUNTS:
        status = execution.account(account)
        assert (status["recognised"], status["held"]) == (0, 0)
        assert status["appended"] == len(await journaled(other_bus, account))
        assert status["entries"] == status["appended"] + 1


async def test_a_restarted_owner_recognises_what_is_there_and_appends_the_rest(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    for count in (30, 1, 60, None):
        async with running_execution(on_memory(broker)) as execution:
            before = {account: len(await journaled(other_bus, account)) for account in ACCOUNTS}
            await folded_to(execution, await engine.writes(count))
            for account in ACCOUNTS:
                assert execution.account(account)["recognised"] == before[account]
    await hold_of(other_bus, run, owned=4)


async def test_what_falls_due_while_nobody_owns_the_account_is_appended_later(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    async with running_execution(on_memory(broker), is_stopped=False) as execution:
        await folded_to(execution, await engine.writes(20))
    last = await engine.writes()
    async with running_execution(on_memory(broker), instance="execution-2") as execution:
        assert execution.sequence == last, "it is ready when it has caught up, not before"
        assert execution.is_ready
    await hold_of(other_bus, run, owned=2)
    assert [name for name, _ in await owners(other_bus, "alpha-paper")] == ["execution-1", "execution-2"]


async def test_a_long_history_is_read_in_parts(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_module, "HELD_MAX", 5)
    monkeypatch.setattr(account_module, "UNSEEN_MAX", 7)
    monkeypatch.setattr(account_journal, "TICKS_MAX", 3)
    async with running_execution(on_memory(broker)) as execution:
        await folded_to(execution, await engine.writes())
    assert len(await read_account(other_bus, "alpha-paper")) > 10
    async with running_execution(on_memory(broker)) as execution:
        assert execution.account("alpha-paper")["recognised"] == len(await journaled(other_bus, "alpha-paper"))
    await hold_of(other_bus, run, owned=2)


async def test_an_owner_is_heard_once_it_has_caught_up(
    broker: MemoryBroker, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_execution(on_memory(broker)) as execution:
        await folded_to(execution, await engine.writes())
        await eventually(lambda: len(execution.service.positions()) == 2)
        assert execution.service.leases() == ["account.alpha-paper", "account.beta-paper"]
    seen: list[int] = []
    on_message = PaperExecution._on_message

    def looking(self: PaperExecution, message: JournalMessage) -> Awaitable[None] | None:
        seen.append(len(self.positions()))
        return on_message(self, message)

    # It comes to own the accounts while it catches up, as there is room for nothing else.
    monkeypatch.setattr(account_module, "UNSEEN_MAX", 1)
    monkeypatch.setattr(PaperExecution, "_on_message", looking)
    await expire_journals(broker)
    async with running_execution(on_memory(broker)) as execution:
        assert len(seen) > 10
        assert set(seen) == {0}
        positions = execution.service.positions()
        assert [position.subject for position in positions] == ["acct.alpha-paper", "acct.beta-paper"]
        assert all(position.epoch == 1 for position in positions)


async def expire_journals(broker: MemoryBroker) -> None:
    """Make the account journals anew, so that everything is still to be told."""
    for name in ACCOUNTS:
        broker.rewind(subjects.acct_stream(name), 0)


async def test_it_waits_for_the_streams_and_says_so(other_bus: MemoryBus, run: EngineRun) -> None:
    broker = MemoryBroker()
    starting = running_execution(on_memory(broker))
    entered = asyncio.create_task(starting.__aenter__())
    await turns(10)
    assert not entered.done()
    broker.provision(topology(("demo",), ACCOUNTS))
    execution = await asyncio.wait_for(entered, 5)
    assert execution.is_ready
    await starting.__aexit__(None, None, None)


async def test_bad_audit_journal_ends_it_rather_than_guess(
    execution: RunningExecution, engine: Engine, other_bus: MemoryBus
) -> None:
    await folded_to(execution, await engine.writes(10))
    garbage = sealed(b"\xff\xff", 0, 0)
    await other_bus.append(subjects.audit("demo"), garbage.payload, headers=garbage.headers)
    await asyncio.wait_for(execution.runtime.stopping.wait(), 5)
    assert execution.runtime.failure is not None
    assert "message 11" in execution.runtime.failure


# ------------------------------------------------------------------------------ journals that disagree


async def preload(bus: MemoryBus, account: str, events: Sequence[AccountEvent]) -> None:
    """Write an account's journal as an earlier owner."""
    end = await account_end(bus, account)
    journal = AccountJournal(bus, account, "execution-0", "index", end)
    journal.take_ownership(0)
    for event in events:
        journal.add(event, 1, 1)
    journal.writer.close()
    await journal.writer.run()


async def test_an_event_that_the_fold_does_not_give_ends_it_with_both(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    events = events_of(run, "alpha-paper")
    await engine.writes()
    forged = filled(fill("forged"), events[5].cause, events[5].ordinal)
    await preload(other_bus, "alpha-paper", [*events[:5], forged])
    with pytest.raises(Ended, match=r"FoldDiffers.*account alpha-paper: the journal holds .*forged"):
        async with running_execution(on_memory(broker)):
            pass
    assert await journaled(other_bus, "alpha-paper") == [*events[:5], forged], "nothing was added"


async def test_events_that_no_tick_explains_end_it(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    """The audit journal has lost its end: what was told already must not be told in another way."""
    await preload(other_bus, "alpha-paper", events_of(run, "alpha-paper")[:20])
    await engine.writes(5)
    with pytest.raises(Ended, match=r"account alpha-paper: the journal holds .*, which no tick explains"):
        async with running_execution(on_memory(broker)):
            pass
    assert await journaled(other_bus, "alpha-paper") == events_of(run, "alpha-paper")[:20]


async def test_a_damaged_account_journal_ends_it(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    await preload(other_bus, "alpha-paper", events_of(run, "alpha-paper")[:5])
    kept = broker.stream("ACCT_alpha-paper").message(1)
    assert kept is not None
    await preload(other_bus, "alpha-paper", events_of(run, "alpha-paper")[5:8])
    await preload(other_bus, "alpha-paper", events_of(run, "alpha-paper")[8:9])
    kept.payload = kept.payload[:-1] + bytes([kept.payload[-1] ^ 1])
    await engine.writes()
    with pytest.raises(Ended, match="ACCT_alpha-paper, message 1"):
        async with running_execution(on_memory(broker)):
            pass
    assert await journaled_after(other_bus, 3) == []


async def journaled_after(bus: MemoryBus, message: int) -> list[AccountEvent]:
    """Return the account events in messages after one, the chain before it unread."""
    found: list[AccountEvent] = []
    end = (await bus.journal_state("ACCT_alpha-paper")).last_sequence
    for sequence in range(message + 1, end + 1):
        stored = await bus.message("ACCT_alpha-paper", sequence)
        assert stored is not None
        batch = account_batch_from_bytes(stored.payload)
        found += [entry.record for entry in batch.entries if isinstance(entry.record, AccountEvent)]
    return found


# ------------------------------------------------------------------------------ outages, other owners, the end


async def test_records_wait_for_the_broker_and_health_says_so(
    execution: RunningExecution, broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    await folded_to(execution, await engine.writes(20))
    for _ in range(10_000):
        broker.lose_next_append(subjects.acct("alpha-paper"))
    await folded_to(execution, await engine.writes())
    await eventually(lambda: "journal of alpha-paper" in execution.reasons)
    assert "journal of beta-paper" not in execution.reasons
    broker._lost_appends.clear()
    await eventually(lambda: execution.is_ready)
    await execution.service.stop()
    await hold_of(other_bus, run)


async def test_an_outage_loses_and_doubles_nothing(
    execution: RunningExecution, broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    for _ in range(3):
        broker.lose_next_ack(subjects.acct("alpha-paper"))
        await engine.writes(10)
        broker.start_outage()
        await turns(5)
        broker.end_outage()
    await folded_to(execution, await engine.writes())
    await eventually(lambda: execution.is_ready)
    await execution.service.stop()
    await hold_of(other_bus, run)


async def take_as_another(bus: MemoryBus, account: str) -> int:
    """Take an account as somebody who holds no lease; return the epoch."""
    taken = AccountJournal(bus, account, "execution-2", "index", await account_end(bus, account))
    taken.take_ownership(0)
    taken.writer.close()
    await taken.writer.run()
    return taken.owner_epoch


async def test_who_is_fenced_writes_nothing_behind_the_other_and_takes_the_account_again_by_its_lease(
    execution: RunningExecution, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    await folded_to(execution, await engine.writes(20))
    await eventually(lambda: execution.account("alpha-paper")["unseen"] == 0)
    epoch = await take_as_another(other_bus, "alpha-paper")
    await folded_to(execution, await engine.writes())
    await eventually(lambda: execution.account("alpha-paper")["owner_epoch"] > epoch)
    await eventually(lambda: execution.account("alpha-paper")["unseen"] == 0)
    await execution.service.stop()
    assert execution.runtime.failure is None
    assert [name for name, _ in await owners(other_bus, "alpha-paper")] == ["execution-1", "execution-2", "execution-1"]
    assert (
        await journaled(other_bus, "alpha-paper")
        == events_of(run, "alpha-paper")[: len(await journaled(other_bus, "alpha-paper"))]
    )
    for batch in await read_account(other_bus, "alpha-paper"):
        taken = batch.head.owner == "execution-2"
        assert taken == (batch.head.owner_epoch == epoch), "nobody wrote in an epoch of another"


async def test_who_has_lost_the_lease_goes_on_as_a_standby(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun
) -> None:
    """As after a pause: the lease is over, another has it and the account."""
    async with running_execution(on_memory(broker)) as first:
        await folded_to(first, await engine.writes(20))
        await other_bus.bucket("leases").put("account.alpha-paper", b"execution-2 1")
        await eventually(lambda: not first.account("alpha-paper")["is_owned"])
        await take_as_another(other_bus, "alpha-paper")
        await folded_to(first, await engine.writes())
        assert first.account("beta-paper")["is_owned"]
        assert first.is_ready
        assert first.runtime.failure is None
    assert [name for name, _ in await owners(other_bus, "alpha-paper")] == ["execution-1", "execution-2"]
    last_batch = (await read_account(other_bus, "alpha-paper"))[-1]
    assert last_batch.head.owner == "execution-2"


async def test_a_stop_while_nobody_takes_what_waits_ends_all_the_same(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler waits for room that nobody will make any more; stopping must not wait for the handler."""
    monkeypatch.setattr(account_module, "UNSEEN_MAX", 1)
    async with running_execution(on_memory(broker), is_stopped=False) as execution:
        await other_bus.bucket("leases").put("account.alpha-paper", b"execution-2 1")
        await eventually(lambda: not execution.account("alpha-paper")["is_owned"])
        await engine.writes()
        await eventually(lambda: execution.account("alpha-paper")["unseen"] > 0)
        await asyncio.wait_for(execution.service.stop(), 5)


async def test_a_stop_during_an_outage_ends_in_time_and_says_what_is_lost(
    broker: MemoryBroker, engine: Engine, run: EngineRun
) -> None:
    settings = engine_settings(runtime={"stop_timeout_ms": 200})
    async with running_execution(on_memory(broker), settings=settings, is_stopped=False) as execution:
        await eventually(lambda: execution.account("alpha-paper")["entries"] == 1)
        for _ in range(10_000):
            broker.lose_next_append(subjects.acct("alpha-paper"))
        await folded_to(execution, await engine.writes())
        broker.start_outage()
        began = asyncio.get_running_loop().time()
        await execution.service.stop()
        assert asyncio.get_running_loop().time() - began < 2
        assert execution.runtime.failure is not None
        assert execution.runtime.failure.startswith("the journal of alpha-paper could not be written within 0.15 s: ")
        broker.end_outage()


async def test_a_stop_while_catching_up_appends_nothing_that_may_be_there(
    broker: MemoryBroker, engine: Engine, other_bus: MemoryBus, run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_execution(on_memory(broker)) as execution:
        await folded_to(execution, await engine.writes())
    before = {account: await journaled(other_bus, account) for account in ACCOUNTS}

    async def never(self: object) -> None:
        """Leave the history unread."""

    monkeypatch.setattr(AccountFollower, "start", never)
    starting = running_execution(on_memory(broker), settings=engine_settings(runtime={"stop_timeout_ms": 400}))
    entered = asyncio.create_task(starting.__aenter__())
    await turns(50)
    assert not entered.done()
    entered.cancel()
    await asyncio.gather(entered, return_exceptions=True)
    assert {account: await journaled(other_bus, account) for account in ACCOUNTS} == before
