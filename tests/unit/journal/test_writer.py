"""One writer, one batch in flight, and every way in which an append can go wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.waiting import eventually
from tests.unit.journal.batches import ACCOUNT, STREAM, SUBJECT, Entries, batch, expected, read, writer
from tradebus.bus.errors import BusClosed, NoJournal, PermissionDenied
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Headers
from tradebus.bus.topology import Sizes, topology
from tradebus.journal import writer as writer_module
from tradebus.journal.writer import Fenced, JournalWriter

END_S = 5


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(writer_module, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(writer_module, "RETRY_MAX_S", 0.004)
    monkeypatch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.02)


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.provision(topology((), (ACCOUNT,)))
    return made


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    made = MemoryBus(broker)
    yield made
    await made.close()


async def finish(*writers: JournalWriter) -> None:
    """Write what is there and end."""
    for one in writers:
        one.close()
    await ended(asyncio.gather(*(one.run() for one in writers)))


async def ended(running: Awaitable[object]) -> None:
    """Wait for writers to end, which they must do soon."""
    await asyncio.wait_for(running, END_S)


async def test_batches_are_chained_numbered_and_told_durable_in_order(bus: MemoryBus) -> None:
    source = Entries()
    source.ask(2, 1, 3)
    writes = writer(bus, source)
    await finish(writes)
    said, verifier = await read(bus)
    assert said == expected("one", 6)
    assert source.stored == [(1, 0, 1), (2, 2, 2), (3, 3, 5)]
    assert (writes.position, writes.chain) == (3, source.sealed[-1].chain) == (verifier.position, verifier.chain)
    assert (writes.batches, writes.retries, writes.trouble) == (3, 0, "")


async def test_a_batch_is_asked_for_only_when_the_one_before_is_durable(bus: MemoryBus) -> None:
    """One in flight: what comes meanwhile fills the next batch, which continues the chain of a stored one."""
    source = Entries()
    source.ask(1, 1)
    durable_when_asked: list[tuple[int, int]] = []
    make = source.next_batch

    def asked(previous_chain: str) -> object:
        durable_when_asked.append((len(source.sealed), len(source.stored)))
        return make(previous_chain)

    source.next_batch = asked  # type: ignore[method-assign, assignment]
    await finish(writer(bus, source))
    assert durable_when_asked == [(0, 0), (1, 1), (2, 2)]


async def test_an_idle_writer_goes_on_when_woken(bus: MemoryBus) -> None:
    source = Entries()
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await asyncio.sleep(0)
    assert writes.unacknowledged_s() == 0
    for count in (1, 2):
        source.ask(1)
        writes.wake()
        await eventually(lambda count=count: len(source.stored) == count)  # type: ignore[misc]
    writes.close()
    await ended(running)


async def test_a_lost_acknowledgement_is_recognised_and_nothing_is_written_twice(
    broker: MemoryBroker, bus: MemoryBus
) -> None:
    broker.lose_next_ack(SUBJECT)
    source = Entries()
    source.ask(2, 1)
    writes = writer(bus, source)
    await finish(writes)
    assert (await read(bus))[0] == expected("one", 3)
    assert source.stored == [(1, 0, 1), (2, 2, 2)]
    assert (writes.trouble, writes.uncertain, writes.recovered) == ("", 1, 1)


async def test_a_lost_append_is_written_again(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.lose_next_append(SUBJECT)
    broker.lose_next_append(SUBJECT)
    source = Entries()
    source.ask(2)
    writes = writer(bus, source)
    await finish(writes)
    assert (await read(bus))[0] == expected("one", 2)
    assert source.stored == [(1, 0, 1)]
    assert (writes.retries, writes.uncertain, writes.recovered) == (2, 2, 0)
    assert len(source.sealed) == 1  # the very same bytes, not another batch


class LateCopies:
    """Holds back the first copy of an append until the second one is under way, as a slow network does."""

    def __init__(self, broker: MemoryBroker, late: int = 1) -> None:
        self._append: Callable[[str, bytes, Headers | None, int | None], int | None] = broker.append
        self._late = late
        self._held: list[tuple[str, bytes, Headers | None, int | None]] = []
        broker.append = self.append  # type: ignore[method-assign]

    def append(
        self, subject: str, payload: bytes, headers: Headers | None, expected_last_sequence: int | None
    ) -> int | None:
        if self._late:
            self._late -= 1
            self._held.append((subject, payload, headers, expected_last_sequence))
            return None
        for held in self._held:
            self._append(*held)
        self._held.clear()
        return self._append(subject, payload, headers, expected_last_sequence)


async def test_a_refusal_because_the_first_copy_landed_late_is_no_fence(broker: MemoryBroker, bus: MemoryBus) -> None:
    LateCopies(broker)
    source = Entries()
    source.ask(2, 2)
    writes = writer(bus, source)
    await finish(writes)
    assert (await read(bus))[0] == expected("one", 4)
    assert source.stored == [(1, 0, 1), (2, 2, 3)]


async def test_an_outage_is_sat_out_and_told(broker: MemoryBroker, bus: MemoryBus) -> None:
    source = Entries()
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await asyncio.sleep(0)
    broker.start_outage()
    source.ask(1)
    writes.wake()
    await eventually(lambda: writes.trouble and writes.unacknowledged_s() > 0)
    assert source.stored == []
    broker.end_outage()
    await eventually(lambda: source.stored)
    assert (writes.trouble, writes.unacknowledged_s()) == ("", 0)
    writes.close()
    await ended(running)
    assert (await read(bus))[0] == expected("one", 1)


async def test_a_connection_lost_while_waiting_leaves_no_doubt(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.lose_next_ack(SUBJECT)
    source = Entries()
    source.ask(1, 1)
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await eventually(lambda: broker.stream(STREAM).last_sequence == 1)
    broker.start_outage()
    await eventually(lambda: writes.trouble)
    broker.end_outage()
    writes.close()
    await ended(running)
    assert source.stored == [(1, 0, 0), (2, 1, 1)]
    assert (await read(bus))[0] == expected("one", 2)


async def test_a_full_stream_is_waited_for_and_told() -> None:
    broker = MemoryBroker()
    broker.provision(topology((), (ACCOUNT,), Sizes(account=1200)))
    bus = MemoryBus(broker)
    source = Entries()
    source.ask(*[1] * 8)
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await eventually(lambda: writes.retries > 2)
    assert "maximum bytes" in writes.trouble
    stored = len(source.stored)
    assert 0 < stored < 8
    while len(source.stored) < 8:
        broker.prune(STREAM, writes.position)  # the pruner leaves the last message
        stored = len(source.stored)
        await eventually(lambda stored=stored: len(source.stored) > stored)  # type: ignore[misc]
    writes.close()
    await ended(running)
    assert [sequence for sequence, _, _ in source.stored] == list(range(1, 9))
    await bus.close()


# ---------------------------------------------------------------------------------------------- fenced


async def test_a_batch_that_is_stored_elsewhere_ends_the_writer(
    broker: MemoryBroker, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def misplaced(*_: object, **__: object) -> int:
        return 7

    source = Entries()
    source.ask(1)
    monkeypatch.setattr(bus, "append", misplaced)
    with pytest.raises(Fenced, match=r"expected to end at message 1 .* found message 7"):
        await ended(writer(bus, source).run())
    assert source.stored == []


async def test_another_writer_fences_this_one(broker: MemoryBroker, bus: MemoryBus) -> None:
    source = Entries("one")
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await asyncio.sleep(0)
    other = batch("two", 1, 0, 1)
    await bus.append(SUBJECT, other.payload, headers=other.headers, expected_last_sequence=0)
    source.ask(1)
    writes.wake()
    with pytest.raises(Fenced) as fenced:
        await ended(running)
    assert fenced.value.expected == (0, writes.chain)
    assert fenced.value.found == (1, other.chain)
    assert source.stored == []
    assert (await read(bus))[0] == ["two 0"]


async def test_of_two_writers_exactly_one_goes_on(bus: MemoryBus) -> None:
    sources = Entries("one"), Entries("two")
    for source in sources:
        source.ask(1, 1, 1)
    writers = [writer(bus, source) for source in sources]
    for one in writers:
        one.close()
    results = await asyncio.wait_for(asyncio.gather(*(one.run() for one in writers), return_exceptions=True), END_S)
    assert sorted(type(result).__name__ for result in results) == ["Fenced", "NoneType"]
    winner = sources[results.index(None)]
    assert (await read(bus))[0] == expected(winner.owner, 3)
    assert [len(source.stored) for source in sources if source is not winner] == [0]


async def test_a_writer_that_begins_elsewhere_than_the_stream_ends_is_fenced_before_it_writes(bus: MemoryBus) -> None:
    first = Entries("one")
    first.ask(1, 1)
    await finish(writer(bus, first))
    late = Entries("two", first=1)
    late.ask(1)
    with pytest.raises(Fenced, match=r"expected to end at message 1"):
        await ended(writer(bus, late, position=1, chain=first.sealed[0].chain).run())
    wrong = Entries("two", first=2)
    wrong.ask(1)
    with pytest.raises(Fenced):
        await ended(writer(bus, wrong, position=2, chain=first.sealed[0].chain).run())
    assert late.sealed == wrong.sealed == []


async def test_a_writer_goes_on_where_another_one_ended(bus: MemoryBus) -> None:
    first = Entries("one")
    first.ask(1, 1)
    await finish(writer(bus, first))
    _, end = await read(bus)
    second = Entries("one", epoch=end.position + 1, first=end.entry + 1)
    second.ask(2)
    await finish(writer(bus, second, position=end.position, chain=end.chain))
    said, end = await read(bus)
    assert said == expected("one", 4)
    assert (end.owner_epoch, end.position) == (3, 3)


async def test_an_idle_writer_learns_after_a_reconnection_that_it_was_replaced(broker: MemoryBroker) -> None:
    mine = MemoryBus(broker)
    source = Entries("one")
    running = asyncio.create_task(writer(mine, source).run())
    await asyncio.sleep(0)
    mine.lose_connection()
    other = MemoryBus(broker)
    replacement = Entries("two")
    replacement.ask(1)
    await finish(writer(other, replacement))
    mine.regain_connection()
    with pytest.raises(Fenced, match="another writer"):
        await ended(running)
    await mine.close()
    await other.close()


async def test_a_journal_that_lost_messages_is_not_written_on(broker: MemoryBroker, bus: MemoryBus) -> None:
    source = Entries()
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    source.ask(1, 1)
    writes.wake()
    await eventually(lambda: len(source.stored) == 2)
    broker.rewind(STREAM, 1)
    source.ask(1)
    writes.wake()
    with pytest.raises(Fenced) as fenced:
        await ended(running)
    assert fenced.value.found == (1, source.sealed[0].chain)


async def test_a_stream_that_was_emptied_is_not_written_on(broker: MemoryBroker, bus: MemoryBus) -> None:
    source = Entries()
    source.ask(1)
    await finish(writer(bus, source))
    broker.prune(STREAM, 2)
    for position, chain in ((1, source.sealed[0].chain), (0, "0" * 32)):
        with pytest.raises(Fenced, match="found message 1 with chain none"):
            await ended(writer(bus, Entries(), position=position, chain=chain).run())


# ---------------------------------------------------------------------------------------------- no use to go on


async def test_what_is_not_permitted_is_not_tried_for_ever(broker: MemoryBroker, bus: MemoryBus) -> None:
    broker.deny(SUBJECT)
    source = Entries()
    source.ask(1)
    with pytest.raises(PermissionDenied):
        await ended(writer(bus, source).run())


async def test_a_missing_stream_is_named() -> None:
    bus = MemoryBus(MemoryBroker())
    with pytest.raises(NoJournal, match=STREAM):
        await ended(writer(bus, Entries()).run())


async def test_a_closed_bus_ends_the_writer(bus: MemoryBus) -> None:
    await bus.close()
    with pytest.raises(BusClosed):
        await ended(writer(bus, Entries()).run())
