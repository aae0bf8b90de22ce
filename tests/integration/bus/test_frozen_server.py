"""The server does not answer any more but keeps its connections: a half-open link."""

import asyncio

import pytest

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import AppendUncertain, NotSent, UnknownOutcome
from tradebus.bus.events import Disconnected
from tradebus.bus.message import Message, Request
from tradebus.bus.nats_bus import NatsBus

QUICK_S = 0.2
REQUEST_BYTES = 500_000


async def test_a_frozen_server_is_noticed_within_seconds(new_nats_server: ServerFactory, connect: Connect) -> None:
    server = await asyncio.to_thread(new_nats_server)
    log = EventLog()
    bus = await connect(server, listener=log)
    server.freeze()
    began = asyncio.get_running_loop().time()
    await eventually(lambda: len(log.of(Disconnected)) == 3)
    assert asyncio.get_running_loop().time() - began < 6
    server.thaw()
    await eventually(lambda: bus.is_connected)


async def test_what_waits_for_a_frozen_server_is_given_up_and_never_delivered(
    new_nats_server: ServerFactory, connect: Connect
) -> None:
    """The client library would keep it, and not even begin to reconnect before the server has taken it."""
    server = await asyncio.to_thread(new_nats_server)
    log = EventLog()
    engine = await connect(server, "engine", log, ping_interval_s=QUICK_S)
    owner = await connect(server, "owner", ping_interval_s=QUICK_S)
    seen: list[bytes] = []
    await owner.respond("exec.a", lambda request: seen.append(request.payload[:8]))
    server.freeze()
    waiting: list[asyncio.Task[Message]] = []
    while True:
        # Until the server's socket, ours and our own buffer are full.
        request = asyncio.create_task(ask(engine, len(waiting)))
        for _ in range(5):
            await asyncio.sleep(0)
        if request.done():
            break
        waiting.append(request)
    with pytest.raises(NotSent, match="full"):
        await request
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 15)
    assert {type(outcome) for outcome in outcomes} == {UnknownOutcome}
    assert len(outcomes) * REQUEST_BYTES > 8_000_000
    await log.first(Disconnected)
    with pytest.raises(NotSent, match="not connected"):
        await ask(engine, 0)
    server.thaw()
    await eventually(lambda: engine.is_connected and owner.is_connected)
    await owner.respond("exec.marker", answer)
    await engine.request("exec.marker", b"", timeout_s=10)
    # What the kernel had taken may arrive, and carries a time to live for that; what only we had must not.
    assert b"%8d" % (len(waiting) - 1) not in seen
    assert len(seen) <= len(waiting) - 10


def answer(request: Request) -> None:
    request.reply(b"")


async def ask(engine: NatsBus, number: int) -> Message:
    return await engine.request("exec.a", b"%8d" % number + bytes(REQUEST_BYTES), timeout_s=60)


async def test_an_append_to_a_frozen_server_is_uncertain_and_may_land_later(
    new_nats_server: ServerFactory, connect: Connect
) -> None:
    server = await asyncio.to_thread(new_nats_server)
    await server.provision(("e",))
    log = EventLog()
    bus = await connect(server, listener=log, ping_interval_s=QUICK_S)
    server.freeze()
    with pytest.raises(UnknownOutcome):
        await bus.request("exec.a", b"", timeout_s=0.1)
    with pytest.raises(AppendUncertain):
        await bus.append("audit.e", b"mine", expected_last_sequence=0, timeout_s=0.1)
    await eventually(lambda: len(log.of(Disconnected)) == 3)
    with pytest.raises(NotSent):
        await bus.append("audit.e", b"", expected_last_sequence=0, timeout_s=0.1)
    server.thaw()
    await eventually(lambda: bus.is_connected)
    got: list[bytes] = []
    await bus.consume("AUDIT_e", 1, lambda message: got.append(message.payload))
    await eventually(lambda: got == [b"mine"])


async def test_closing_with_a_frozen_server_leaves_no_task_behind(
    new_nats_server: ServerFactory, connect: Connect
) -> None:
    server = await asyncio.to_thread(new_nats_server)
    tasks_before = asyncio.all_tasks()
    log = EventLog()
    bus = await connect(server, listener=log, ping_interval_s=QUICK_S)
    server.freeze()
    await log.first(Disconnected)
    # In the same turn in which the reconnection begins.
    await asyncio.wait_for(bus.close(), 10)
    await eventually(lambda: asyncio.all_tasks() == tasks_before)
