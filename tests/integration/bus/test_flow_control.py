"""A reader that is slower than the stream: held back by the server, never by dropping."""

import asyncio

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.events import ReaderFailed, ReaderResumed
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_reader import NatsReader
from tradebus.bus.provision import provision
from tradebus.bus.topology import MIB, Sizes, topology

MESSAGES = 240
MESSAGE_BYTES = 500_000
WINDOW_BYTES_MAX = 64 * MIB


async def test_a_backlog_larger_than_memory_should_hold_is_read_without_a_gap(
    new_nats_server: ServerFactory, connect: Connect
) -> None:
    server = await asyncio.to_thread(lambda: new_nats_server(sync_always=False))
    sizes = Sizes(audit=256 * MIB, account=MIB, commands=MIB, dead_letters=MIB, bucket=MIB, snapshots=MIB)
    await provision(server.options("provision"), topology(["e"], [], sizes))
    log = EventLog()
    bus = await connect(server, listener=log)
    payload = bytes(MESSAGE_BYTES)
    for last in range(MESSAGES):
        await bus.append("audit.e", payload, expected_last_sequence=last)
    got: list[int] = []
    waiting: list[int] = []
    readers: list[NatsReader] = []

    async def slow(message: JournalMessage) -> None:
        await asyncio.sleep(0.002)
        got.append(message.sequence)
        if readers:
            waiting.append(readers[0]._feed.queued)

    reader = await bus.consume("AUDIT_e", 1, slow)
    assert isinstance(reader, NatsReader)
    readers.append(reader)
    await reader.wait_caught_up()
    assert got == list(range(1, MESSAGES + 1))
    assert max(waiting) > 0
    assert max(waiting) * MESSAGE_BYTES < WINDOW_BYTES_MAX < MESSAGES * MESSAGE_BYTES
    assert log.of(ReaderResumed) == []
    assert log.of(ReaderFailed) == []


async def test_a_silent_consumer_is_set_up_again(new_nats_server: ServerFactory, connect: Connect) -> None:
    """The server may forget a consumer while the connection stands; nothing tells the client."""
    server = await asyncio.to_thread(new_nats_server)
    await server.provision(("e",))
    log = EventLog()
    bus = await connect(server, listener=log)
    got: list[int] = []
    reader = await bus.consume("AUDIT_e", 1, lambda message: got.append(message.sequence))
    await bus.append("audit.e", b"", expected_last_sequence=0)
    assert isinstance(reader, NatsReader)
    consumers = await bus._api.call("CONSUMER.NAMES.AUDIT_e")
    for name in consumers["consumers"]:
        await bus._api.call(f"CONSUMER.DELETE.AUDIT_e.{name}")
    await bus.append("audit.e", b"", expected_last_sequence=1)
    resumed = await log.first(ReaderResumed)
    assert resumed.reason
    await bus.append("audit.e", b"", expected_last_sequence=2)
    await eventually(lambda: got == [1, 2, 3])
