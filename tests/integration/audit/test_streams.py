"""Streams over real connections: cut and resumed, slow, refused, ended; by server-sent events and by websocket."""

import asyncio
import json
import os
import random
import socket
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest

from services.audit.api.access import Role
from services.audit.api.stream.event import Message, Topic
from services.audit.api.stream.limits import StreamLimits
from services.audit.api.stream.selection import Selection
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.stream_server import SseReader, StreamServer
from tests.support.waiting import eventually
from tradebus.bus.message import JournalMessage

CUTS = int(os.environ.get("TRADEBUS_STREAM_CUTS", "100"))
"""How often a stream is cut."""

STEPS = frozenset(Topic) - {Topic.MARKET}
STEPS_QUERY = "?topics=" + ",".join(sorted(STEPS))


@pytest.fixture
def messages(run: EngineRun) -> list[JournalMessage]:
    return messages_of(run.batches())


@pytest.fixture
async def server(messages: list[JournalMessage]) -> AsyncIterator[StreamServer]:
    fold = new_fold()
    fold.take(messages[0])
    async with StreamServer(fold) as made:
        yield made


def feed(server: StreamServer, messages: list[JournalMessage]) -> None:
    for message in messages:
        server.api.fold.take(message)
        assert server.api.fold.broken is None


def whole_reader(server: StreamServer, topics: frozenset[Topic] = STEPS) -> Any:
    reader = server.hub.enter()
    server.hub.begin(reader, Selection(topics))
    return reader


def drain(server: StreamServer, reader: Any) -> list[Message]:
    """Return what the hub has for a reader, with ids as they stand on the wire."""
    told: list[Message] = []
    while taken := [message for message in server.hub.take(reader) if message.name]:
        told += taken
    return [each._replace(id=each.id and each.id + server.hub.id_suffix) for each in told]


async def read_until_cut(reader: SseReader, rng: random.Random, told: list[Message], until: int) -> None:
    """Read some hundred bytes at a time and stop in the middle of something, or where there is no more."""
    left = rng.randrange(1, 12_000)
    while left > 0 and len(told) < until:
        size = min(left, rng.randrange(1, 700))
        told += await reader.some(size)
        left -= size


async def test_stream_cut_and_resumed_over_and_over_has_no_gap_and_no_repeat(
    server: StreamServer, messages: list[JournalMessage]
) -> None:
    rng = random.Random(31)
    whole = whole_reader(server)
    expected = drain(server, whole)
    told: list[Message] = []
    last_id: str | None = None
    for cut in range(CUTS):
        begin, end = (1 + (len(messages) - 1) * each // CUTS for each in (cut, cut + 1))
        async with server.stream(STEPS_QUERY, last_id) as reader:
            if not told:
                told += await reader.until(1)  # the snapshot that everything else follows
            for message in messages[begin:end]:
                feed(server, [message])
                await asyncio.sleep(0)
            expected += drain(server, whole)
            await read_until_cut(reader, rng, told, len(expected))
            last_id = reader.last_id
    async with server.stream(STEPS_QUERY, last_id) as reader:
        while len(told) < len(expected):
            told += await reader.some()
    assert len(expected) > 200
    assert told == expected
    await eventually(lambda: server.hub.readers == 1, "every stream that was cut has left")


async def test_an_id_of_a_journal_that_was_begun_anew_gets_a_reset(
    server: StreamServer, messages: list[JournalMessage]
) -> None:
    feed(server, messages[1:30])
    async with server.stream(STEPS_QUERY) as reader:
        await reader.until(1)
        ids = ["3@" + (reader.last_id or "").partition("@")[2], reader.last_id]
    anew = messages_of(EngineRun(events=300, seed=8, run="another").batches())
    fold = new_fold()
    fold.take(anew[0])
    async with StreamServer(fold) as later:
        feed(later, anew[1:20])
        for last_id in ids:  # behind where the new journal is, and ahead of it
            async with later.stream(STEPS_QUERY, last_id) as reader:
                reset, snapshot = await reader.until(2)
                assert (reset.name, snapshot.name) == ("reset", "snapshot")
                assert "begun anew" in json.loads(reset.data)["reason"]
                assert reader.last_id == f"{fold.sequence}@{fold.run_name}"
            async with later.session.ws_connect(f"{later.url}/v1/ws") as ws:
                await say(ws, **{"type": "subscribe", "topics": ["trade"], "from": last_id})
                await hear(ws, "reset", "snapshot")


async def test_everything_but_the_market_is_told_to_many_in_the_same_words(
    server: StreamServer, messages: list[JournalMessage]
) -> None:
    whole = whole_reader(server)
    begun = drain(server, whole)
    async with server.stream() as one, server.stream() as other, server.stream(STEPS_QUERY) as third:
        feed(server, messages[1:])
        expected = drain(server, whole)
        for reader in (one, other, third):
            told: list[Message] = []
            while sum(message.name != "market" for message in told) < len(expected) + 1:
                told += await reader.some()
            (snapshot, *changes) = (message for message in told if message.name != "market")
            assert snapshot.name == "snapshot"
            assert [each[1:] for each in changes] == [each[1:] for each in expected]
            if reader is third:
                assert snapshot == begun[0]


async def test_reader_that_does_not_read_is_told_and_begins_again(
    run: EngineRun, messages: list[JournalMessage]
) -> None:
    fold = new_fold()
    fold.take(messages[0])
    async with StreamServer(fold, StreamLimits(events=32)) as server:
        listening = server.server._socket
        assert listening is not None
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        host, port = server.url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect((host, int(port)))
            client.setblocking(False)
            client.sendall(f"GET /v1/stream{STEPS_QUERY} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            await eventually(lambda: server.hub.readers == 1)
            for message in messages[1:]:
                feed(server, [message])
                await asyncio.sleep(0.005)
            received = b""
            while b'"orders":' not in received.partition(b"event: reset")[2]:
                received += await asyncio.get_running_loop().sock_recv(client, 65_536)
        before, _, after = received.partition(b"event: reset\n")
        assert b"event: snapshot" in before
        assert b"too slow" in after.split(b"\n")[0]
        await eventually(lambda: server.hub.readers == 0, "its place is free again")


async def test_who_is_one_too_many_is_told_when_to_come_back(messages: list[JournalMessage]) -> None:
    fold = new_fold()
    fold.take(messages[0])
    async with StreamServer(fold, StreamLimits(readers=1)) as server:
        async with server.stream():
            async with server.session.get(f"{server.url}/v1/stream") as refused:
                body = await refused.json(content_type=None)
                assert (refused.status, body["code"]) == (429, "too_many_streams")
                assert int(refused.headers["Retry-After"]) > 0
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await server.session.ws_connect(f"{server.url}/v1/ws")
            assert caught.value.status == HTTPStatus.TOO_MANY_REQUESTS
        await eventually(lambda: server.hub.readers == 0)
        async with server.stream() as reader:
            assert (await reader.until(1))[0].name == "snapshot"


@pytest.mark.parametrize(
    ("query", "last_event_id", "names"),
    [
        ("?topics=order,trad&instruments=sim_alpha-btc_usd&max_rat=3", None, ["instruments", "max_rat", "topics"]),
        ("?max_rate=0", None, ["max_rate"]),
        ("?max_rate=nan", None, ["max_rate"]),
        ("?topics=", None, ["topics"]),
        ("", "12.x", ["Last-Event-ID"]),
        ("", "-1", ["Last-Event-ID"]),
        ("?max_rate=1&max_rate=2", None, ["max_rate"]),
    ],
)
async def test_bad_requests_are_refused(
    server: StreamServer, query: str, last_event_id: str | None, names: list[str]
) -> None:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with server.session.get(f"{server.url}/v1/stream{query}", headers=headers) as answer:
        body = await answer.json(content_type=None)
        assert (answer.status, body["code"]) == (422, "invalid_parameters"), body
        assert sorted(each["name"] for each in body["errors"]) == names
    assert server.hub.readers == 0


async def test_stream_ends_when_the_service_stops(server: StreamServer) -> None:
    async with server.stream() as reader, server.session.ws_connect(f"{server.url}/v1/ws") as ws:
        await reader.until(1)
        server.hub.close()
        await reader.end()
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1001


async def test_keep_alive_comes_when_nothing_else_does(messages: list[JournalMessage]) -> None:
    fold = new_fold()
    fold.take(messages[0])
    async with StreamServer(fold, StreamLimits(keep_alive_s=0.02)) as server, server.stream() as reader:
        while reader.comments < 3:
            await reader.some()
        assert reader.last_id == f"{fold.sequence}@{fold.run_name}"


async def test_stream_ends_when_its_key_is_revoked(messages: list[JournalMessage]) -> None:
    fold = new_fold()
    fold.take(messages[0])
    async with StreamServer(fold, StreamLimits(ask_again_s=0.02)) as server:
        server.api.doorkeeper.reading_without_key = False
        made = server.api.keys.add("late", Role.VIEWER, time.time_ns())
        headers = {"Authorization": f"Bearer {made.text}"}
        async with (
            server.session.get(f"{server.url}/v1/stream", headers=headers) as answer,
            server.session.ws_connect(f"{server.url}/v1/ws", headers=headers) as ws,
        ):
            reader = SseReader(answer)
            await reader.until(1)
            server.api.keys.revoke(made.key.id, time.time_ns())
            await reader.end()
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


# ------------------------------------------------------------------------------------------ websocket


async def say(ws: aiohttp.ClientWebSocketResponse, **message: Any) -> None:
    await ws.send_str(json.dumps(message))


async def hear(ws: aiohttp.ClientWebSocketResponse, *names: str) -> list[dict[str, Any]]:
    """Return the next messages, which must have these names."""
    heard = [await ws.receive_json(timeout=20) for _ in names]
    assert [each["event"] for each in heard] == list(names), heard
    return heard


def told_by_ws(message: dict[str, Any]) -> tuple[str | None, str, Any]:
    return message.get("id"), message["event"], message["data"]


def told_by_hub(message: Message) -> tuple[str | None, str, Any]:
    return message.id, message.name, json.loads(message.data)


async def test_websocket_cut_and_resumed_tells_the_same_events(
    server: StreamServer, messages: list[JournalMessage]
) -> None:
    rng = random.Random(32)
    whole = whole_reader(server)
    expected = [told_by_hub(message) for message in drain(server, whole)]
    told: list[tuple[str | None, str, Any]] = []
    cuts = max(3, CUTS // 4)
    for cut in range(cuts + 1):
        begin, end = (1 + (len(messages) - 1) * min(each, cuts) // cuts for each in (cut, cut + 1))
        async with server.session.ws_connect(f"{server.url}/v1/ws") as ws:
            resumed = {"from": told[-1][0]} if told else {}
            await say(ws, type="subscribe", topics=sorted(STEPS), **resumed)
            await hear(ws, "subscribed")
            feed(server, messages[begin:end])
            expected += [told_by_hub(message) for message in drain(server, whole)]
            count = len(expected) - len(told)
            wanted = count if cut == cuts else rng.randrange(1, count + 1)
            told += [told_by_ws(await ws.receive_json(timeout=20)) for _ in range(wanted)]
    assert told == expected


async def test_websocket_subscribes_and_unsubscribes(server: StreamServer, messages: list[JournalMessage]) -> None:
    async with server.session.ws_connect(f"{server.url}/v1/ws") as ws:
        await say(ws, type="subscribe", topics=["trade"], instruments=["SIM_ALPHA-ETH_USDT"], max_rate=5)
        (subscribed, _) = await hear(ws, "subscribed", "snapshot")
        assert subscribed["data"] == {"topics": ["trade"], "instruments": ["sim_alpha-eth_usdt"], "max_rate": 5}
        await say(ws, type="subscribe", topics=["order"])
        (subscribed, snapshot) = await hear(ws, "subscribed", "snapshot")
        assert subscribed["data"] == {
            "topics": ["order", "trade"],
            "instruments": ["sim_alpha-eth_usdt"],
            "max_rate": 5,
        }
        assert snapshot["data"]["data"]["assets"] is None
        assert snapshot["data"]["data"]["orders"] is not None
        feed(server, messages[1:])
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["event"] != "trade":
            heard.append(await ws.receive_json(timeout=20))
        assert {each["data"]["data"]["instrument"] for each in heard} == {"sim_alpha-eth_usdt"}
        await say(ws, type="unsubscribe", topics=["trade"])
        while heard[-1]["event"] != "subscribed":
            heard.append(await ws.receive_json(timeout=20))
        assert heard[-1]["data"]["topics"] == ["order"]
        await say(ws, type="unsubscribe")
        (nothing,) = await hear(ws, "subscribed")
        assert nothing["data"]["topics"] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{", ""),
        ("[]", ""),
        ('{"type":"subscribe","topics":["order"],"colour":"red"}', "colour"),
        ('{"type":"subscrib"}', ""),
        ('{"type":"subscribe","topics":"order"}', "topics"),
        ('{"type":"subscribe","topics":["ordr"]}', "topics"),
        ('{"type":"subscribe","instruments":["sim_alpha-btc_usd"]}', "instruments"),
        ('{"type":"subscribe","max_rate":1000}', "max_rate"),
        ('{"type":"subscribe","max_rate":NaN}', "max_rate"),
        ('{"type":"subscribe","from":"yesterday"}', "from"),
        ('{"type":"subscribe","from":-3}', "from"),
    ],
)
async def test_malformed_message_is_answered_and_the_socket_stays(server: StreamServer, text: str, name: str) -> None:
    async with server.session.ws_connect(f"{server.url}/v1/ws") as ws:
        await ws.send_str(text)
        (error,) = await hear(ws, "error")
        assert error["data"]["code"] == "invalid_parameters"
        assert name in [each["name"] for each in error["data"]["errors"]]
        await say(ws, type="subscribe", topics=["trading"])
        await hear(ws, "subscribed", "snapshot")


async def test_bytes_and_a_second_place_to_go_on_from_are_refused(server: StreamServer) -> None:
    async with server.session.ws_connect(f"{server.url}/v1/ws") as ws:
        await ws.send_bytes(b'{"type":"subscribe"}')
        (error,) = await hear(ws, "error")
        assert "text" in error["data"]["errors"][0]["expected"]
        await say(ws, type="subscribe", topics=["trading"])
        await hear(ws, "subscribed", "snapshot")
        await say(ws, type="subscribe", topics=["order"], **{"from": 0})
        (error,) = await hear(ws, "error")
        assert error["data"]["errors"][0]["name"] == "from"


async def test_oversize_message_ends_the_connection(server: StreamServer) -> None:
    async with server.session.ws_connect(f"{server.url}/v1/ws") as ws:
        await ws.send_str(json.dumps({"type": "subscribe", "topics": ["x" * 20_000]}))
        closed = await ws.receive(timeout=20)
        assert closed.type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
    await eventually(lambda: server.hub.readers == 0)


async def test_websocket_is_for_who_may_read_from_our_own_pages(server: StreamServer) -> None:
    async def status(**options: Any) -> int:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await server.session.ws_connect(f"{server.url}/v1/ws{options.pop('query', '')}", **options)
        return caught.value.status

    assert await status(headers={"Origin": "http://elsewhere.example"}) == HTTPStatus.FORBIDDEN
    assert await status(query="?topics=order") == HTTPStatus.UNPROCESSABLE_ENTITY
    server.api.doorkeeper.reading_without_key = False
    assert await status() == HTTPStatus.UNAUTHORIZED
    headers = {**server.api.key(Role.VIEWER), "Origin": server.url}
    async with server.session.ws_connect(f"{server.url}/v1/ws", headers=headers) as ws:
        await say(ws, type="subscribe", topics=["trading"])
        await hear(ws, "subscribed", "snapshot")
    async with server.session.get(f"{server.url}/v1/stream") as refused:
        assert refused.status == HTTPStatus.UNAUTHORIZED


async def test_how_long_a_stream_lasts_is_no_time_of_a_request(server: StreamServer) -> None:
    def measured(name: str, **labels: str) -> float | None:
        return server.api.registry.get_sample_value(f"tradebus_api_{name}_seconds_count", labels)

    async with server.stream(STEPS_QUERY) as reader:
        await reader.some()
        assert measured("stream") == 0
    await eventually(lambda: measured("stream") == 1, "the end of the stream")
    assert measured("request", route="/v1/stream", status="200") is None
    async with server.session.get(f"{server.url}/v1/stream?topics=x") as answer:
        assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    await eventually(lambda: measured("request", route="/v1/stream", status="422") == 1, "the refusal")
    assert measured("stream") == 1
