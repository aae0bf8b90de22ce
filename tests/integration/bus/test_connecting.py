"""Coming to a server, or not."""

import asyncio
import socket

import pytest

from tests.support.bus_events import EventLog
from tests.support.nats_server import NatsServer, ServerFactory
from tradebus.bus.errors import ConnectFailed
from tradebus.bus.events import Closed, Connected, ConnectionTrouble
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions

RIGHT, WRONG = "right", "wrong"
USERS = """
authorization { users: [ { user: engine, password: right } ] }
"""


async def test_an_absent_server_is_named_with_what_the_network_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectFailed) as error:
            await NatsBus.connect(NatsOptions((url,), "engine"), timeout_s=0.4)
    assert error.value.servers == (url,)
    assert error.value.recoverable
    assert url in str(error.value)
    assert "refused" in str(error.value) or "Connect call failed" in str(error.value)


async def test_connecting_waits_for_a_server_that_comes_late(new_nats_server: ServerFactory) -> None:
    server = await asyncio.to_thread(new_nats_server)
    server.kill()
    connecting = asyncio.create_task(NatsBus.connect(server.options(), timeout_s=20))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    bus = await connecting
    assert bus.is_connected
    await bus.close()


async def test_a_wrong_password_is_told_at_once(new_nats_server: ServerFactory) -> None:
    server = await asyncio.to_thread(new_nats_server, USERS)
    bus = await NatsBus.connect(server.options(user="engine", password=RIGHT))
    await bus.close()
    log = EventLog()
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectFailed, match=r"(?i)authorization violation"):
        await NatsBus.connect(server.options(user="engine", password=WRONG), listener=log, timeout_s=30)
    assert asyncio.get_running_loop().time() - began < 5
    assert log.of(Connected) == []
    assert log.of(Closed) == []


async def test_a_server_without_jetstream_is_refused() -> None:
    greeting = b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"headers":true}\r\n'

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ConnectFailed, match="JetStream"):
            await NatsBus.connect(NatsOptions((f"nats://127.0.0.1:{port}",), "engine"), timeout_s=5)


async def test_a_bus_uses_three_connections_named_after_service_and_role(nats_server: NatsServer) -> None:
    log = EventLog()
    bus = await NatsBus.connect(NatsOptions((nats_server.url,), "engine", "engine-1"), listener=log)
    assert [event.connection for event in log.of(Connected)] == ["data", "control", "journal"]
    assert all(event.server_version and event.server in nats_server.url for event in log.of(Connected))
    assert {link._client.options["name"] for link in bus._links} == {
        "engine engine-1 data",
        "engine engine-1 control",
        "engine engine-1 journal",
    }
    await bus.close()


async def test_a_ping_that_nobody_waits_for_any_more_does_not_end_the_read_loop(nats_server: NatsServer) -> None:
    log = EventLog()
    bus = await NatsBus.connect(nats_server.options("engine"), listener=log)
    for link in bus._links:
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        link._client.ping(pong)
        pong.cancel()
        await link.flush(5)
        await link.flush(5)
    assert not log.of(ConnectionTrouble)
    await bus.close()


async def test_settings_that_differ_from_the_librarys_are_the_ones_in_use(nats_server: NatsServer) -> None:
    bus = await NatsBus.connect(nats_server.options("engine"))
    for link in bus._links:
        options = link._client.options
        assert options["max_reconnect_attempts"] == -1
        assert 0.1 <= options["reconnect_time_wait"] <= 0.25
        assert (options["ping_interval"], options["max_outstanding_pings"]) == (1, 2)
        assert link._client._max_pending_size == -1
        assert link.new_inbox().startswith("_INBOX_engine.")
    await bus.close()
