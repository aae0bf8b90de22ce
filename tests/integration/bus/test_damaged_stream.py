"""Messages that nats-server counts and cannot read: a reader ends with the place, it does not wait for ever."""

import asyncio

import pytest

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import JournalHole
from tradebus.bus.events import HandlerFailed
from tradebus.wire import subjects

COUNT = 12
STREAM = subjects.audit_stream("e")


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision(("e",), ("a",))
    return made


def zero(server: NatsServer, stream: str, payload: bytes) -> None:
    """Zero the bytes of one message, not of its head, in the files of a server that is down."""
    (file,) = (server.embedded.log_file.parent / "jetstream" / "$G" / "streams" / stream / "msgs").glob("*.blk")
    content = file.read_bytes()
    assert content.count(payload) == 1
    file.write_bytes(content.replace(payload, bytes(len(payload))))


@pytest.mark.parametrize("damaged", [1, 5, COUNT])
async def test_a_reader_names_the_message_that_cannot_be_read(
    server: NatsServer, connect: Connect, damaged: int
) -> None:
    bus = await connect(server)
    payloads = [f"message {number:04} ".encode() * 9 for number in range(1, COUNT + 1)]
    for last, payload in enumerate(payloads):
        await bus.append(subjects.audit("e"), payload, expected_last_sequence=last)
    server.stop()
    zero(server, STREAM, payloads[damaged - 1])
    server.start()
    again = await connect(server)
    taken: list[bytes] = []

    async def read() -> None:
        await (await again.consume(STREAM, 1, lambda message: taken.append(message.payload))).wait_caught_up()

    with pytest.raises(JournalHole, match=f"sequence {damaged},"):
        await read()
    assert taken == payloads[: damaged - 1]


async def test_a_watch_goes_on_without_a_value_that_cannot_be_read(server: NatsServer, connect: Connect) -> None:
    bus = await connect(server)
    bucket = bus.bucket(subjects.POSITIONS)
    for number in range(3):
        await bucket.put(f"key.{number}", f"value {number} ".encode() * 9)
    server.stop()
    zero(server, f"KV_{subjects.POSITIONS}", b"value 2 " * 9)
    server.start()
    log = EventLog()
    again = await connect(server, listener=log)
    seen: dict[str, bytes | None] = {}
    async with asyncio.timeout(20):
        await again.bucket(subjects.POSITIONS).watch(lambda entry: seen.update({entry.key: entry.value}), "key.>")
    assert seen == {f"key.{number}": f"value {number} ".encode() * 9 for number in range(2)}
    await eventually(lambda: log.of(HandlerFailed))
    await again.bucket(subjects.POSITIONS).put("key.0", b"new")
    await eventually(lambda: seen["key.0"] == b"new")
