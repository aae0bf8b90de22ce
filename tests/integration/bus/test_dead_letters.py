"""What could not be read is kept, through an outage too, and never holds anybody up."""

import asyncio

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.dead_letters import DeadLetters
from tradebus.bus.events import Disconnected
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.integrity import verify_checksum


async def test_letters_put_in_an_outage_are_kept_afterwards(new_nats_server: ServerFactory, connect: Connect) -> None:
    server = await asyncio.to_thread(new_nats_server)
    await server.provision()
    log = EventLog()
    bus = await connect(server, listener=log)
    letters = DeadLetters(bus, "engine", clock_ns=lambda: 7)
    letters.put("md.x.0", "expected a MarketBatch, found nothing", b"\xff" * 70_000)
    await eventually(lambda: letters.kept == 1)
    server.kill()
    await log.wait_for(Disconnected, 3)
    letters.put("acct.a", "checksum", b"bad", stream_sequence=42)
    await asyncio.to_thread(server.start)
    await eventually(lambda: letters.kept == 2)
    await letters.close()
    assert (letters.lost, letters.waiting) == (0, 0)
    first, second = await bus.message("DLQ", 1), await bus.message("DLQ", 2)
    assert first is not None
    assert second is not None
    verify_checksum(second.payload, second.headers)
    assert first.subject == "dlq.engine"
    read = dead_letter_from_bytes(first.payload)
    assert (read.service, read.subject, read.time_ns) == ("engine", "md.x.0", 7)
    assert (len(read.payload), read.payload_bytes_total) == (64 * 1024, 70_000)
    assert dead_letter_from_bytes(second.payload).stream_sequence == 42


async def test_letters_that_cannot_be_kept_are_counted_with_the_reason(
    new_nats_server: ServerFactory, connect: Connect
) -> None:
    server = await asyncio.to_thread(new_nats_server)
    bus = await connect(server)
    lost: list[str] = []
    letters = DeadLetters(bus, "engine", on_lost=lost.append, waiting_max=3)
    for _ in range(5):
        letters.put("md.x.0", "bad", b"")
    assert lost == ["too many bad messages at once"] * 2
    await eventually(lambda: letters.lost == 5)
    assert all("no such stream" in reason for reason in lost[2:])
    server.kill()
    await eventually(lambda: not bus.is_connected)
    letters.put("md.x.0", "bad", b"")
    await letters.close(0.05)
    letters.put("md.x.0", "bad", b"")
    assert lost[-2:] == ["the service stopped before it could be kept", "the service stops"]
    assert letters.lost == 7
