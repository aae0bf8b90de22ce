"""The faults that a memory broker plays, for those who test against it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.bus_events import EventLog
from tests.support.waiting import eventually
from tradebus.bus.errors import AppendUncertain, JournalFull, JournalPruned, JournalRewound
from tradebus.bus.events import Connected, ReaderFailed
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Message
from tradebus.bus.topology import Sizes, topology


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.provision(topology(["e"], ["a"], Sizes(audit=1000, account=1000, commands=1000, dead_letters=1000)))
    return made


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    made = MemoryBus(broker)
    yield made
    await made.close()


async def test_a_lost_acknowledgement_leaves_the_append_stored(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.lose_next_ack("audit.e")
    with pytest.raises(AppendUncertain, match="no answer within"):
        await bus.append("audit.e", b"1", expected_last_sequence=0, timeout_s=0.01)
    last = await bus.last_message("AUDIT_e")
    assert last is not None
    assert last.payload == b"1"
    assert await bus.append("audit.e", b"2", expected_last_sequence=1) == 2


async def test_a_lost_append_leaves_nothing(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.lose_next_append("audit.e")
    with pytest.raises(AppendUncertain):
        await bus.append("audit.e", b"1", expected_last_sequence=0, timeout_s=0.01)
    assert await bus.last_message("AUDIT_e") is None
    assert await bus.append("audit.e", b"1", expected_last_sequence=0) == 1


async def test_an_outage_while_an_append_waits_makes_it_uncertain_at_once(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.lose_next_ack("audit.e")
    appending = asyncio.create_task(bus.append("audit.e", b"1", expected_last_sequence=0, timeout_s=60))
    await eventually(lambda: broker.stream("AUDIT_e").last_sequence == 1)
    broker.start_outage()
    with pytest.raises(AppendUncertain, match="connection was lost"):
        await appending


async def test_pruning_under_a_reader_that_is_behind_ends_it(broker: MemoryBroker) -> None:
    log = EventLog()
    bus = MemoryBus(broker, listener=log)
    release = asyncio.Event()
    for last in range(3):
        await bus.append("audit.e", b"", expected_last_sequence=last)

    async def wait(_message: object) -> None:
        await release.wait()

    reader = await bus.consume("AUDIT_e", 1, wait)
    await asyncio.sleep(0)
    broker.prune("AUDIT_e", 3)
    release.set()
    failed = await log.first(ReaderFailed)
    assert isinstance(failed.error, JournalPruned)
    assert (failed.error.wanted, failed.error.first) == (2, 3)
    with pytest.raises(JournalPruned):
        await reader.wait_caught_up()
    await bus.close()


async def test_a_stream_that_lost_its_end_shows_at_the_next_append(broker: MemoryBroker) -> None:
    log = EventLog()
    bus = MemoryBus(broker, listener=log)
    for last in range(5):
        await bus.append("audit.e", b"", expected_last_sequence=last)
    await (await bus.consume("AUDIT_e", 1, lambda _message: None)).wait_caught_up()
    broker.rewind("AUDIT_e", 2)
    await bus.append("audit.e", b"", expected_last_sequence=2)
    failed = await log.first(ReaderFailed)
    assert isinstance(failed.error, JournalRewound)
    await bus.close()


async def test_a_bus_made_in_an_outage_connects_when_it_ends(broker: MemoryBroker) -> None:
    broker.start_outage()
    log = EventLog()
    bus = MemoryBus(broker, listener=log)
    assert not bus.publish("md.x.0", b"")
    assert log.of(Connected) == []
    broker.end_outage()
    assert bus.publish("md.x.0", b"")
    await bus.close()


async def test_journal_subjects_reach_who_subscribes_to_them_too(broker: MemoryBroker, bus: MemoryBus) -> None:
    got: list[Message] = []
    await bus.subscribe("audit.>", got.append)
    await bus.append("audit.e", b"1", expected_last_sequence=0)
    bus.publish("audit.e", b"2")
    await eventually(lambda: [message.payload for message in got] == [b"1", b"2"])
    assert (await bus.journal_state("AUDIT_e")).last_sequence == 2


async def test_a_publish_into_a_full_journal_is_lost_in_silence(broker: MemoryBroker, bus: MemoryBus) -> None:
    with pytest.raises(JournalFull):
        await bus.append("audit.e", bytes(1000), expected_last_sequence=0)
    assert bus.publish("audit.e", bytes(1000))
    assert (await bus.journal_state("AUDIT_e")).last_sequence == 0


async def test_the_same_calls_give_the_same_deliveries(broker: MemoryBroker) -> None:
    async def play() -> list[tuple[str, bytes]]:
        made = MemoryBroker()
        buses = [MemoryBus(made) for _ in range(3)]
        trace: list[tuple[str, bytes]] = []
        for number, each in enumerate(buses):

            async def handle(message: Message, number: int = number) -> None:
                trace.append((f"{number} {message.subject}", message.payload))
                await asyncio.sleep(0)

            await each.subscribe("md.>", handle)
        for number in range(200):
            buses[number % 3].publish(f"md.x.{number % 2}", b"%d" % number)
            if number % 7 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: len(trace) == 600)
        for each in buses:
            await each.close()
        return trace

    assert await play() == await play()
