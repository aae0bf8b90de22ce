"""The venue server's own rules, without a socket: control messages, and a flow that is consistent with itself."""

import json
from decimal import Decimal

import pytest

from tests.support.venue_server.control import RequestError, StreamSet
from tests.support.venue_server.flow import GeneratedFlow


def answer(streams: StreamSet, message: object) -> object:
    return json.loads(streams.answer(json.dumps(message)))


def test_subscribe_list_and_unsubscribe_are_answered_by_id() -> None:
    streams = StreamSet()
    subscribe = {"method": "SUBSCRIBE", "params": ["a@trade", "b@trade", "a@trade"], "id": 1}
    assert answer(streams, subscribe) == {"result": None, "id": 1}
    assert answer(streams, {"method": "LIST_SUBSCRIPTIONS", "id": "x3"}) == {
        "result": ["a@trade", "b@trade"],
        "id": "x3",
    }
    assert answer(streams, {"method": "UNSUBSCRIBE", "params": ["a@trade"], "id": 312}) == {"result": None, "id": 312}
    assert list(streams.streams) == ["b@trade"]


def test_combined_property_can_be_read_and_set() -> None:
    streams = StreamSet()
    get = {"method": "GET_PROPERTY", "params": ["combined"], "id": 2}
    assert answer(streams, get) == {"result": False, "id": 2}
    assert answer(streams, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 5}) == {
        "result": None,
        "id": 5,
    }
    assert answer(streams, get) == {"result": True, "id": 2}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("{", 3),
        (b"\xff", 3),
        ("[]", 2),
        ('{"params":[],"id":1}', 2),
        ('{"method":"SHOUT","id":1}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[5],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["a@trade"],"id":1.5}', 2),
        ('{"method":"GET_PROPERTY","params":["colour"],"id":1}', 0),
        ('{"method":"GET_PROPERTY","params":["combined",true],"id":1}', 2),
        ('{"method":"GET_PROPERTY","params":[5],"id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1),
        (json.dumps({"method": "SUBSCRIBE", "params": [f"s{n}@trade" for n in range(1025)], "id": 1}), 2),
    ],
)
def test_malformed_request_is_refused_with_the_venues_code_and_changes_nothing(raw: str | bytes, code: int) -> None:
    streams = StreamSet(streams={"kept@trade": None})
    with pytest.raises(RequestError) as caught:
        streams.answer(raw)
    assert caught.value.code == code
    assert json.loads(caught.value.reply())["error"]["code"] == code
    assert json.loads(caught.value.reply(flat=True))["code"] == code
    assert streams == StreamSet(streams={"kept@trade": None})


def test_same_seed_gives_the_same_frames() -> None:
    one, same, other = (GeneratedFlow(["BTCUSDT", "ETHUSDT"], seed=seed) for seed in (5, 5, 6))
    frames = list(one.frames(500))
    assert frames == list(same.frames(500))
    assert frames != list(other.frames(500))


def test_depth_updates_lead_from_one_snapshot_to_the_next_and_the_ticker_is_the_top_of_the_book() -> None:
    flow = GeneratedFlow(["BTCUSDT"], seed=1)
    first = json.loads(flow.snapshot("BTCUSDT", 5000) or b"")
    sides = {name: {Decimal(price): Decimal(size) for price, size in first[name]} for name in ("bids", "asks")}
    last_update_id = first["lastUpdateId"]
    for stream, payload in flow.frames(5_000):
        frame = json.loads(payload)
        if stream == "btcusdt@depth@100ms":
            assert frame["U"] == last_update_id + 1
            last_update_id = frame["u"]
            for name, member in (("bids", "b"), ("asks", "a")):
                sides[name].update({Decimal(price): Decimal(size) for price, size in frame[member]})
            assert max(price for price, size in sides["bids"].items() if size) < min(
                price for price, size in sides["asks"].items() if size
            )
        elif stream == "btcusdt@bookTicker":
            assert Decimal(frame["b"]) < Decimal(frame["a"])
        else:
            assert Decimal(frame["q"]) > 0
    # The last update may be some steps behind the snapshot: make it up to date, then both must agree.
    while last_update_id < json.loads(flow.snapshot("BTCUSDT", 1) or b"")["lastUpdateId"]:
        for stream, payload in flow.frames(1):
            frame = json.loads(payload)
            if stream == "btcusdt@depth@100ms":
                last_update_id = frame["u"]
                for name, member in (("bids", "b"), ("asks", "a")):
                    sides[name].update({Decimal(price): Decimal(size) for price, size in frame[member]})
    final = json.loads(flow.snapshot("BTCUSDT", 5000) or b"")
    for name in ("bids", "asks"):
        rebuilt = {price: size for price, size in sides[name].items() if size}
        assert rebuilt == {Decimal(price): Decimal(size) for price, size in final[name]}
