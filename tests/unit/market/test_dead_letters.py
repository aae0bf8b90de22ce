import asyncio

from services.market.dead_letters import WAITING_MAX, DeadLetterBox
from tests.support.market_bus import KeptLog, Tasks, market_metrics
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.integrity import verify_checksum
from tradebus.wire.subjects import DLQ_STREAM


async def test_a_bad_message_is_kept_with_its_reason(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox(bus, market_metrics(), log.bound)
    tasks.spawn(box.run(), "letters")
    box.put("binance_spot", "not JSON", b"\xff\x00garbage")
    box.put("binance_spot", "second", b"2")
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
    box = DeadLetterBox(bus, market_metrics(), log.bound)
    tasks.spawn(box.run(), "letters")
    bus.lose_connection()
    for number in range(3):
        box.put("x", str(number), b"")
    await asyncio.sleep(0)
    assert box.posted == 0
    bus.regain_connection()
    await eventually(lambda: box.posted == 3)
    messages = [await bus.message(DLQ_STREAM, sequence) for sequence in (1, 2, 3)]
    assert [dead_letter_from_bytes(each.payload).reason for each in messages if each is not None] == ["0", "1", "2"]


async def test_a_flood_is_bounded_and_counted(broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox(bus, market_metrics(), log.bound)
    for number in range(WAITING_MAX + 10):
        box.put("x", str(number), b"")
    assert box.lost == 10
    assert len(log.of("a dead letter could not be kept")) == 1
    tasks.spawn(box.run(), "letters")
    await eventually(lambda: box.posted == WAITING_MAX)


async def test_a_letter_that_is_refused_is_counted_and_the_next_one_posted(
    broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog
) -> None:
    box = DeadLetterBox(bus, market_metrics(), log.bound)
    tasks.spawn(box.run(), "letters")
    box.put("x", "there is no stream yet", b"")
    await eventually(lambda: box.lost == 1)
    broker.provision(topology((), ()))
    box.put("x", "now there is", b"")
    await eventually(lambda: box.posted == 1)


async def test_draining_posts_what_waits_and_gives_up_in_time(
    broker: MemoryBroker, bus: MemoryBus, log: KeptLog
) -> None:
    broker.provision(topology((), ()))
    box = DeadLetterBox(bus, market_metrics(), log.bound)
    box.put("x", "1", b"")
    await box.drain(5.0)
    assert box.posted == 1
    bus.lose_connection()
    box.put("x", "2", b"")
    await box.drain(0.01)
    assert (box.posted, box.lost) == (1, 1)
