"""A journal that ends before what others had of it on disk is not gone on with."""

import pytest
import structlog

from services.engine.reached import check_reached
from services.engine.recovery import WentBackwards
from tests.support.audit_run import EngineRun, append_all
from tradebus.bus.memory import MemoryBus
from tradebus.journal.positions import JournalMark, publish_positions
from tradebus.wire import subjects

STREAM = "AUDIT_demo"
READER = subjects.archive_reader("demo")
LOG = structlog.stdlib.get_logger("test")


@pytest.fixture(scope="module")
def run() -> EngineRun:
    return EngineRun(events=20, is_ended=False)


async def say(bus: MemoryBus, position: int, fingerprint: str) -> None:
    await publish_positions(bus, READER, "audit-1", (JournalMark(STREAM, position, fingerprint, 0),))


async def test_one_that_reaches_as_far_is_gone_on_with(bus: MemoryBus, run: EngineRun) -> None:
    await check_reached(bus, STREAM, [READER], LOG)
    batches = run.batches()
    await append_all(bus, "demo", batches)
    await say(bus, len(batches), batches[-1].chain)
    await check_reached(bus, STREAM, [READER, subjects.owner_reader("alpha-paper")], LOG)


@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_one_that_lost_its_end_is_refused(bus: MemoryBus, run: EngineRun, kept: int) -> None:
    batches = run.batches()
    await append_all(bus, "demo", batches[:kept])
    await say(bus, len(batches), batches[-1].chain)
    reason = f"{STREAM}: it ends at message {kept}, and {READER} has it up to {len(batches)} on disk"
    with pytest.raises(WentBackwards, match=f"{reason}.*tradebus audit repair"):
        await check_reached(bus, STREAM, [READER], LOG)


async def test_one_with_another_message_there_is_refused(bus: MemoryBus, run: EngineRun) -> None:
    batches = run.batches()
    await append_all(bus, "demo", batches)
    await say(bus, 2, batches[2].chain)
    with pytest.raises(WentBackwards, match=f"message 2 is {batches[1].chain}"):
        await check_reached(bus, STREAM, [READER], LOG)


async def test_a_record_that_cannot_be_read_proves_nothing(bus: MemoryBus, run: EngineRun) -> None:
    await append_all(bus, "demo", run.batches())
    await bus.bucket(subjects.POSITIONS).put(READER, b"\xff")
    await check_reached(bus, STREAM, [READER], LOG)
