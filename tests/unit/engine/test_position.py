"""An engine finds where its journal ends, and does not go on in one that is not its own."""

from collections.abc import Sequence

import pytest

from services.engine.position import EMPTY_JOURNAL, ForeignJournal, JournalEnd, journal_end
from tests.support.audit_run import EngineRun, append_all
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.core.engine.event import EngineStarted
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects


@pytest.fixture(scope="module")
def run() -> EngineRun:
    """A short run of the engine `demo`. Tests only read it."""
    return EngineRun(events=20)


def started_as(run: EngineRun, *, engine_id: str = "demo", mode: str = "demo") -> EngineStarted:
    started = run.engine.started
    return EngineStarted(
        engine_id, mode, "next", started.code, started.index, started.accounts, started.strategies, started.trading
    )


async def end_of(bus: MemoryBus, run: EngineRun, batches: Sequence[SealedBatch], **who: str) -> JournalEnd:
    await append_all(bus, "demo", batches)
    return await journal_end(bus, "demo", started_as(run, **who))


async def test_an_empty_journal_is_begun(bus: MemoryBus, run: EngineRun) -> None:
    assert await end_of(bus, run, []) == EMPTY_JOURNAL
    assert await journal_end(bus, "demo", started_as(run)) == EMPTY_JOURNAL


async def test_the_end_is_the_last_batch(bus: MemoryBus, run: EngineRun) -> None:
    batches = run.batches()
    end = await end_of(bus, run, batches)
    assert end == JournalEnd(len(batches), batches[-1].chain, run.ticks[-1].sequence)


@pytest.mark.parametrize(("engine_id", "mode"), [("demo", "paper"), ("other", "demo")])
async def test_a_journal_of_another_engine_or_mode_is_refused(
    bus: MemoryBus, run: EngineRun, engine_id: str, mode: str
) -> None:
    with pytest.raises(
        ForeignJournal, match=f"AUDIT_demo: expected the journal of engine '{engine_id}' in mode {mode}"
    ):
        await end_of(bus, run, run.batches(), engine_id=engine_id, mode=mode)


async def test_a_last_message_that_is_not_what_was_written_is_refused(bus: MemoryBus, run: EngineRun) -> None:
    batches = run.batches()[:3]
    await append_all(bus, "demo", batches)
    await bus.append(subjects.audit("demo"), b"garbage", headers=batches[0].headers)
    with pytest.raises(JournalDamaged, match="AUDIT_demo, message 4"):
        await journal_end(bus, "demo", started_as(run))


async def test_a_last_message_that_is_no_batch_is_refused(bus: MemoryBus, run: EngineRun) -> None:
    with pytest.raises(JournalDamaged, match="AUDIT_demo, message 1"):
        await end_of(bus, run, [sealed(b"\xff\xff", 0, 0)])


async def test_a_run_whose_first_record_is_another_one_is_refused(bus: MemoryBus, run: EngineRun) -> None:
    # The batches say that the run began with the first message; it holds a later one.
    with pytest.raises(JournalDamaged, match="expected the record that began the last run, found"):
        await end_of(bus, run, run.batches()[1:3])


async def test_a_run_whose_first_record_was_pruned_is_known_by_the_engines_id(
    broker: MemoryBroker, bus: MemoryBus, run: EngineRun
) -> None:
    batches = run.batches()
    await append_all(bus, "demo", batches)
    broker.prune(subjects.audit_stream("demo"), len(batches))
    end = JournalEnd(len(batches), batches[-1].chain, run.ticks[-1].sequence)
    assert await journal_end(bus, "demo", started_as(run)) == end
    with pytest.raises(ForeignJournal, match="expected the journal of engine 'other' in mode demo, found that of"):
        await journal_end(bus, "demo", started_as(run, engine_id="other"))
