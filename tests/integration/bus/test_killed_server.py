"""The server is killed without warning and started again, under load."""

import asyncio

import pytest

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import AppendUncertain, NotSent
from tradebus.bus.events import Closed, ConnectionTrouble, Disconnected, ReaderResumed, Reconnected, ServerLeaving
from tradebus.bus.interface import JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus

KILLS = 4


class Writer:
    """Appends numbered messages for ever, one in flight, and resolves what is uncertain as a journal's writer must."""

    def __init__(self, bus: NatsBus, subject: str, stream: str) -> None:
        self._bus, self._subject, self._stream = bus, subject, stream
        self.last = 0
        self.acknowledged: list[int] = []
        self.uncertain = 0
        self.landed = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            number = self.last + 1
            try:
                stored = await self._bus.append(
                    self._subject, b"%d" % number, expected_last_sequence=self.last, timeout_s=2
                )
            except NotSent:
                await asyncio.sleep(0.005)
                continue
            except AppendUncertain:
                self.uncertain += 1
                if not await self._has_landed(number):
                    continue
                self.landed += 1
                stored = number
            assert stored == number
            self.last = number
            self.acknowledged.append(number)

    async def progress(self, appends: int) -> int:
        """Wait until so many more have been acknowledged and return the last of them."""
        wanted = self.last + appends
        await eventually(lambda: self.last >= wanted, f"sequence {wanted}; {self.last} so far")
        return wanted

    async def _has_landed(self, number: int) -> bool:
        while True:
            try:
                last = await self._bus.last_message(self._stream)
            except NotSent:
                await asyncio.sleep(0.005)
                continue
            if last is not None and last.sequence == number:
                assert last.payload == b"%d" % number
                return True
            assert self.last == (0 if last is None else last.sequence)
            return False


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision(("e",), ("a",))
    return made


async def read_up_to(reader: JournalReader, sequence: int) -> None:
    await eventually(lambda: reader.next_sequence > sequence, f"read up to {sequence}")


async def test_writer_and_reader_survive_kills_with_nothing_lost_or_repeated(
    server: NatsServer, connect: Connect
) -> None:
    log = EventLog()
    writing, reading = await connect(server, "writer"), await connect(server, "reader", log)
    got: list[int] = []

    def collect(message: JournalMessage) -> None:
        assert message.payload == b"%d" % message.sequence
        got.append(message.sequence)

    reader = await reading.consume("AUDIT_e", 1, collect)
    writer = Writer(writing, "audit.e", "AUDIT_e")
    running = asyncio.create_task(writer.run())
    for _ in range(KILLS):
        wanted = await writer.progress(50)
        await read_up_to(reader, wanted)
        server.kill()
        await eventually(lambda: not (reading.is_connected or writing.is_connected))
        await asyncio.to_thread(server.start)
    await writer.progress(50)
    writer.stopping = True
    await running
    await eventually(lambda: reader.next_sequence == writer.last + 1)
    assert got == list(range(1, writer.last + 1))
    assert (await writing.journal_state("AUDIT_e")).last_sequence == writer.last
    assert reader.failure is None
    assert len(log.of(ReaderResumed)) >= KILLS
    assert log.of(Closed) == []


async def test_a_reader_goes_on_at_once_after_the_reconnection(server: NatsServer, connect: Connect) -> None:
    loop = asyncio.get_running_loop()
    times: dict[type, float] = {}

    def note(event: object) -> None:
        if isinstance(event, ReaderResumed) or (isinstance(event, Reconnected) and event.connection == "journal"):
            times[type(event)] = loop.time()

    bus = await connect(server, "reader", note)
    got: list[int] = []
    await bus.append("audit.e", b"", expected_last_sequence=0)
    await bus.consume("AUDIT_e", 1, lambda message: got.append(message.sequence))
    server.kill()
    await asyncio.to_thread(server.start)
    await eventually(lambda: ReaderResumed in times)
    # The client library's own way takes 19 s; the margin is for a busy machine.
    assert times[ReaderResumed] - times[Reconnected] < 1.0
    await eventually(lambda: bus.is_connected)
    await bus.append("audit.e", b"", expected_last_sequence=1)
    await eventually(lambda: got == [1, 2])


async def test_what_was_acknowledged_is_there_after_a_kill(server: NatsServer, connect: Connect) -> None:
    bus = await connect(server, "writer")
    writer = Writer(bus, "audit.e", "AUDIT_e")
    running = asyncio.create_task(writer.run())
    await eventually(lambda: writer.last >= 100)
    server.kill()
    acknowledged = list(writer.acknowledged)
    await asyncio.to_thread(server.start)
    await eventually(lambda: bus.is_connected)
    writer.stopping = True
    await running
    for sequence in (1, acknowledged[-1]):
        stored = await bus.message("AUDIT_e", sequence)
        assert stored is not None
        assert stored.payload == b"%d" % sequence


async def test_an_append_under_way_when_the_server_dies_is_uncertain_at_once(
    server: NatsServer, connect: Connect
) -> None:
    bus = await connect(server, "writer")
    await bus.append("audit.e", b"1", expected_last_sequence=0)
    server.freeze()
    appending = asyncio.create_task(bus.append("audit.e", b"2", expected_last_sequence=1, timeout_s=60))
    await asyncio.sleep(0)
    server.kill()
    with pytest.raises(AppendUncertain) as error:
        await asyncio.wait_for(appending, 10)
    assert "lost" in error.value.reason
    await asyncio.to_thread(server.start)
    await eventually(lambda: bus.is_connected)
    last = await bus.last_message("AUDIT_e")
    assert last is not None
    assert last.sequence == 1
    assert await bus.append("audit.e", b"2", expected_last_sequence=1) == 2


async def test_reconnecting_never_ends_and_does_not_flood_the_listener(server: NatsServer, connect: Connect) -> None:
    log = EventLog()
    bus = await connect(server, "patient", log)
    server.kill()
    await log.first(Disconnected)
    refused = "[Errno 111]"

    def attempts() -> int:
        return sum(event.repeated for event in log.of(ConnectionTrouble) if refused in event.reason)

    await eventually(lambda: attempts() >= 30, "thirty attempts over three connections")
    reports = [event for event in log.of(ConnectionTrouble) if refused in event.reason]
    assert len(reports) < attempts()
    await asyncio.to_thread(server.start)
    await log.wait_for(Reconnected, 3)
    assert bus.is_connected
    assert len(log.of(Reconnected)) == 3
    assert log.of(Closed) == []


@pytest.mark.parametrize("part", ["_reading_task", "_flusher_task", "_ping_interval_task"])
async def test_a_task_of_the_library_that_ended_is_noticed_and_the_connection_made_anew(
    server: NatsServer, connect: Connect, part: str
) -> None:
    log = EventLog()
    bus = await connect(server, "engine", log)
    got: list[bytes] = []
    await bus.subscribe("md.x.0", lambda message: got.append(message.payload))
    task: asyncio.Task[None] = getattr(bus._data._client, part)
    task.cancel()
    await log.first(Reconnected)
    assert bus.publish("md.x.0", b"x")
    await eventually(lambda: got == [b"x"])


async def test_a_reconnection_that_was_given_up_is_taken_up_again(server: NatsServer, connect: Connect) -> None:
    log = EventLog()
    bus = await connect(server, "engine", log)
    server.kill()
    await log.first(Disconnected)
    await log.wait_for(Disconnected, 3)
    for link in bus._links:
        task = link._client._reconnection_task
        assert task is not None
        task.cancel()
    await asyncio.to_thread(server.start)
    await eventually(lambda: bus.is_connected)
    assert await bus.append("audit.e", b"", expected_last_sequence=0) == 1


async def test_a_protocol_violation_closes_for_good_and_is_fatal(server: NatsServer, connect: Connect) -> None:
    log = EventLog()
    bus = await connect(server, "engine", log)
    bus._data._client.send(b"NONSENSE\r\n")
    closed = await log.first(Closed)
    assert (closed.connection, closed.fatal) == ("data", True)
    assert "unknown protocol" in closed.reason.lower()
    assert not bus.is_connected
    assert not bus.publish("md.x.0", b"")


async def test_a_server_that_says_goodbye_is_reported(server: NatsServer, connect: Connect) -> None:
    log = EventLog()
    await connect(server, "engine", log)
    server.leave()
    await log.first(ServerLeaving)
    server.kill()
