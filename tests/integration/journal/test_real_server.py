"""The journal's writer against a real server that is killed, frozen and shared with another writer."""

import asyncio

import pytest

from tests.support.bus_clients import Connect
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tests.unit.journal.batches import ACCOUNT, STREAM, Entries, expected, read, writer
from tradebus.bus.nats_bus import NatsBus
from tradebus.journal import writer as writer_module
from tradebus.journal.sealed import SealedBatch
from tradebus.journal.writer import Fenced, JournalWriter

KILLS = 4
KILLS_MAX = 40


class Endless(Entries):
    """Always has another batch, until told to stop."""

    is_stopping = False

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        if not self.is_stopping:
            self.ask(1 + self.next % 3)
        return super().next_batch(previous_chain)


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision((), (ACCOUNT,))
    return made


async def check(bus: NatsBus, source: Entries, writes: JournalWriter) -> None:
    """Check that the stream holds every batch once, in order, chained, and that this is what the source was told."""
    said, verifier = await read(bus)
    assert said == expected("one", source.next)
    assert (verifier.position, verifier.chain) == (writes.position, writes.chain)
    assert [sequence for sequence, _, _ in source.stored] == list(range(1, writes.position + 1))
    assert [(first, last) for _, first, last in source.stored] == [(made.first, made.last) for made in source.sealed]
    stored = [await bus.message(STREAM, sequence) for sequence in range(1, writes.position + 1)]
    assert [message.payload for message in stored if message is not None] == [made.payload for made in source.sealed]


async def test_kills_between_append_and_acknowledgement_lose_and_repeat_nothing(
    server: NatsServer, connect: Connect
) -> None:
    bus, reading = await connect(server, "writer"), await connect(server, "reader")
    source = Endless()
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    kills = 0
    while kills < KILLS or not writes.uncertain:
        # How many appends were caught in flight is up to chance; that some were is not.
        assert kills < KILLS_MAX, "no kill caught an append in flight"
        before = len(source.stored)
        await eventually(lambda before=before: len(source.stored) >= before + 20)  # type: ignore[misc]
        server.kill()
        kills += 1
        await eventually(lambda: writes.trouble)
        await asyncio.to_thread(server.start)
        await eventually(lambda: bus.is_connected and reading.is_connected)
    after = len(source.stored)
    await eventually(lambda: len(source.stored) >= after + 20)
    source.is_stopping = True
    writes.close()
    await running
    assert writes.trouble == ""
    await check(reading, source, writes)


async def test_appends_that_a_frozen_server_takes_late_are_recognised(
    server: NatsServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes wait in the server's socket; we give up, and when it runs again the first copy lands after all."""
    monkeypatch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.2)
    bus = await connect(server, "writer")
    source = Endless()
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    for _ in range(3):
        before = len(source.stored)
        await eventually(lambda before=before: len(source.stored) >= before + 5)  # type: ignore[misc]
        server.freeze()
        await eventually(lambda: writes.trouble)
        assert writes.unacknowledged_s() > 0
        server.thaw()
        await eventually(lambda: not writes.trouble)
    source.is_stopping = True
    writes.close()
    await running
    await eventually(lambda: bus.is_connected)
    assert writes.recovered > 0
    await check(bus, source, writes)


async def test_two_writers_on_one_stream_never_mix(server: NatsServer, connect: Connect) -> None:
    buses = await connect(server, "one"), await connect(server, "two")
    sources = Endless("one"), Endless("two")
    writers = [writer(bus, source) for bus, source in zip(buses, sources, strict=True)]
    tasks = [asyncio.create_task(one.run()) for one in writers]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=15)
    assert len(done) == 1
    loser = tasks.index(done.pop())
    winner = 1 - loser
    with pytest.raises(Fenced):
        await tasks[loser]
    assert sources[loser].stored == []
    before = len(sources[winner].stored)
    await eventually(lambda: len(sources[winner].stored) >= before + 20)
    sources[winner].is_stopping = True
    writers[winner].close()
    await tasks[winner]
    assert (await read(buses[winner]))[0] == expected(sources[winner].owner, sources[winner].next)


async def test_a_writer_whose_stream_was_taken_over_during_an_outage_is_fenced(
    server: NatsServer, connect: Connect
) -> None:
    bus = await connect(server, "one")
    source = Entries("one")
    source.ask(1, 1)
    writes = writer(bus, source)
    running = asyncio.create_task(writes.run())
    await eventually(lambda: len(source.stored) == 2)
    server.kill()
    await eventually(lambda: not bus.is_connected)
    await asyncio.to_thread(server.start)
    other = await connect(server, "two")
    successor = Entries("two", epoch=3, first=2)
    successor.ask(1)
    takes_over = writer(other, successor, position=writes.position, chain=writes.chain)
    takes_over.close()
    await takes_over.run()
    await eventually(lambda: bus.is_connected)
    source.ask(1)
    writes.wake()
    with pytest.raises(Fenced):
        await asyncio.wait_for(running, 15)
    assert (await read(other))[0] == ["one 0", "one 1", "two 2"]
