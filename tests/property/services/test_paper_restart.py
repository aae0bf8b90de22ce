"""However often its owner dies, an account's journal ends with each of its events once, in order."""

import asyncio
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.execution import account as account_module
from services.execution import account_journal, owner, sharing, snapshotting
from services.execution.account_journal import AccountJournal, account_end
from services.execution.fold import PaperFold
from tests.property.examples import scaled
from tests.support.audit_run import EngineRun, append_all
from tests.support.engine_service import on_memory, turns
from tests.support.execution_service import ACCOUNTS, events_of, journaled, owners, running_execution
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.core.engine.event import AccountEvent
from tradebus.journal import writer as writer_module
from tradebus.wire import subjects


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Waits that a test need not sit out, and limits that a short run reaches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "RETRY_FIRST_S", 0.001)
        patch.setattr(writer_module, "RETRY_MAX_S", 0.001)
        patch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.005)
        patch.setattr(account_journal, "TICKS_MAX", 5)
        patch.setattr(account_module, "UNSEEN_MAX", 20)
        patch.setattr(account_module, "HELD_MAX", 7)
        patch.setattr(sharing, "ASK_PERIOD_S", 0.001)
        patch.setattr(owner, "ASK_PERIOD_S", 0.001)
        # Snapshots at any moment, also of accounts in the middle of being written; a killed owner leaves some, too.
        patch.setattr(snapshotting, "SNAPSHOT_PERIOD_S", 0.001)
        yield


@cache
def run() -> EngineRun:
    return EngineRun(events=250, is_ended=False)


@cache
def due(account: str) -> list[AccountEvent]:
    """Return what falls due in the whole run."""
    fold = PaperFold(account)
    events = [event for tick in run().ticks for event in fold.fold(tick)]
    assert events == events_of(run(), account)[: len(events)]
    return events


LIVES = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40), st.booleans()), max_size=6)


@settings(max_examples=scaled(25), deadline=None)
@given(lives=LIVES, prefix=st.integers(0, 60), seed=st.integers(0, 2**32))
def test_events_are_journaled_exactly_once(lives: list[tuple[int, int, bool]], prefix: int, seed: int) -> None:
    """Each life: so many batches are written, it is given so many turns, and then it stops in order or is killed."""
    asyncio.run(_live(lives, prefix, Random(seed)))


async def _live(lives: list[tuple[int, int, bool]], prefix: int, rng: Random) -> None:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ACCOUNTS))
    bus = MemoryBus(broker)
    batches = run().batches()
    written = 0
    # An earlier owner journaled any beginning of what is due; the ticks that explain it are on disk.
    held_before = min(prefix, len(due("alpha-paper")))
    await _preload(bus, due("alpha-paper")[:held_before])
    if held_before:
        cause = _tick_that_gave(held_before)
        written = next(number for number, batch in enumerate(batches, 1) if batch.last >= cause)
        await append_all(bus, "demo", batches[:written])
    for count, patience, is_stopped in lives:
        async with running_execution(on_memory(broker), is_stopped=is_stopped):
            more = min(count, len(batches) - written)
            _disturb(broker, rng)
            await append_all(bus, "demo", batches[written : written + more], written)
            written += more
            await turns(patience)
    async with running_execution(on_memory(broker)) as last:
        await append_all(bus, "demo", batches[written:], written)
        await eventually(lambda: last.sequence == batches[-1].last)
    for name in ACCOUNTS:
        assert await journaled(bus, name) == due(name)
        epochs = [epoch for _, epoch in await owners(bus, name)]
        assert epochs == sorted(set(epochs))
    await bus.close(0.1)


def _tick_that_gave(count: int) -> int:
    """Return the tick by which so many events of the first account were due."""
    fold = PaperFold("alpha-paper")
    given = 0
    for tick in run().ticks:
        given += len(fold.fold(tick))
        if given >= count:
            return tick.sequence
    raise AssertionError("fewer are due")


def _disturb(broker: MemoryBroker, rng: Random) -> None:
    for name in ACCOUNTS:
        fault = rng.choice((None, None, broker.lose_next_ack, broker.lose_next_append))
        if fault is not None:
            fault(subjects.acct(name))


async def _preload(bus: MemoryBus, events: list[AccountEvent]) -> None:
    journal = AccountJournal(bus, "alpha-paper", "execution-0", "index", await account_end(bus, "alpha-paper"))
    journal.take_ownership(0)
    for event in events:
        journal.add(event, 1, 1)
    journal.writer.close()
    await journal.writer.run()
