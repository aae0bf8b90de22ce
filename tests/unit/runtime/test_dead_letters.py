import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from services.runtime.dead_letters import WAITING_MAX, DeadLetterBox
from tests.support.market_bus import KeptLog, Tasks
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.integrity import verify_checksum
from tradebus.wire.subjects import DLQ_STREAM


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    bus = MemoryBus(broker)
    yield bus
    await bus.close()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.end()


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


async def test_a_bad_message_is_kept_with_its_reason(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    tasks.spawn(box.run(), "letters")
    box.put("binance_spot", b"\xff\x00garbage", "not JSON")
    box.put("binance_spot", b"2", "second")
    await eventually(lambda: box.posted == 2)
    first = await bus.message(DLQ_STREAM, 1)
    assert first is not None
    assert first.subject == "dlq.market"
    verify_checksum(first.payload, first.headers)
    letter = dead_letter_from_bytes(first.payload)
    assert (letter.service, letter.subject, letter.reason) == ("market", "binance_spot", "not JSON")
    assert letter.payload == b"\xff\x00garbage"
    assert letter.time_ns > 1_700_000_000_000_000_000


async def test_letters_wait_for_the_bus_and_keep_their_order(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    tasks.spawn(box.run(), "letters")
    bus.lose_connection()
    for number in range(3):
        box.put("x", b"", str(number))
    await asyncio.sleep(0)
    assert box.posted == 0
    bus.regain_connection()
    await eventually(lambda: box.posted == 3)
    messages = [await bus.message(DLQ_STREAM, sequence) for sequence in (1, 2, 3)]
    assert [dead_letter_from_bytes(each.payload).reason for each in messages if each is not None] == ["0", "1", "2"]


async def test_a_flood_is_bounded_and_counted(broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    for number in range(WAITING_MAX + 10):
        box.put("x", b"", str(number))
    assert box.lost == 10
    assert len(log.of("a dead letter could not be kept")) == 1
    tasks.spawn(box.run(), "letters")
    await eventually(lambda: box.posted == WAITING_MAX)


async def test_a_letter_that_is_refused_is_counted_and_the_next_one_posted(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    tasks.spawn(box.run(), "letters")
    box.put("x", b"", "there is no stream yet")
    await eventually(lambda: box.lost == 1)
    broker.provision(topology((), ()))
    box.put("x", b"", "now there is")
    await eventually(lambda: box.posted == 1)


async def test_draining_posts_what_waits_and_gives_up_in_time(
    broker: MemoryBroker, bus: MemoryBus, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    box.put("x", b"", "1")
    await box.drain(5.0)
    assert box.posted == 1
    bus.lose_connection()
    box.put("x", b"", "2")
    await box.drain(0.01)
    assert (box.posted, box.lost) == (1, 1)


async def test_draining_beside_the_running_task_posts_every_letter_once(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    running = tasks.spawn(box.run(), "letters")
    for number in range(20):
        box.put("x", b"", str(number))
    await asyncio.sleep(0)
    await box.drain(5.0)
    running.cancel()
    messages = [await bus.message(DLQ_STREAM, sequence) for sequence in range(1, 22)]
    reasons = [dead_letter_from_bytes(each.payload).reason for each in messages if each is not None]
    assert reasons == [str(number) for number in range(20)]
    assert (box.posted, box.lost) == (20, 0)
