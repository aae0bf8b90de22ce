"""How Binance spot is subscribed: stream names, requests within the venue's limits, acknowledgements by id."""

import json

import pytest

from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.errors import SubscribeRefused, UnsupportedSubscription
from services.market.venues.interface import ConnectionPlan, Subscription, SubscriptionKind
from tradebus.core.model.identifiers import InstrumentIndex

TRADES = SubscriptionKind.PUBLIC_TRADES
L1 = SubscriptionKind.ORDER_BOOKS_L1


def many(count: int, kind: SubscriptionKind = TRADES) -> list[Subscription]:
    return [Subscription(InstrumentIndex(number), f"S{number}USDT", kind) for number in range(count)]


def params(plan: ConnectionPlan) -> list[list[str]]:
    return [json.loads(request.payload)["params"] for request in plan.requests]


def test_a_few_subscriptions_are_one_request_on_one_connection() -> None:
    wanted = [Subscription(InstrumentIndex(0), "BTCUSDT", TRADES), Subscription(InstrumentIndex(0), "BTCUSDT", L1)]
    (plan,) = BinanceSpot().plan(wanted)
    assert plan.url == "wss://stream.binance.com:9443/ws"
    (request,) = plan.requests
    assert json.loads(request.payload) == {
        "method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@bookTicker"], "id": 1,
    }  # fmt: skip
    assert request.id == 1
    assert plan.subscriptions == tuple(wanted)


def test_address_can_be_replaced() -> None:
    (plan,) = BinanceSpot().plan(many(1), "ws://127.0.0.1:1/ws")
    assert plan.url == "ws://127.0.0.1:1/ws"


def test_duplicate_subscriptions_are_sent_once_and_the_later_wins() -> None:
    first, later = (Subscription(InstrumentIndex(number), "BTCUSDT", TRADES) for number in (1, 2))
    (plan,) = BinanceSpot().plan([first, later])
    assert params(plan) == [["btcusdt@trade"]]
    assert plan.subscriptions == (later,)


@pytest.mark.parametrize(("count", "connections", "requests"), [(200, 1, 1), (201, 1, 2), (1024, 1, 6), (1025, 2, 7)])
def test_streams_are_split_within_the_limits(count: int, connections: int, requests: int) -> None:
    plans = BinanceSpot().plan(many(count))
    assert len(plans) == connections
    assert sum(len(plan.requests) for plan in plans) == requests
    assert all(len(plan.subscriptions) <= 1024 for plan in plans)
    assert all([request.id for request in plan.requests] == list(range(1, len(plan.requests) + 1)) for plan in plans)
    names = [name for plan in plans for request in params(plan) for name in request]
    assert names == [f"s{number}usdt@trade" for number in range(count)]
    assert [each for plan in plans for each in plan.subscriptions] == many(count)


def test_no_subscription_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="expected at least one subscription"):
        BinanceSpot().plan([])


@pytest.mark.parametrize("kind", [kind for kind in SubscriptionKind if kind not in BinanceSpot.kinds])
def test_kind_that_is_not_offered_is_refused_before_anything_is_sent(kind: SubscriptionKind) -> None:
    with pytest.raises(UnsupportedSubscription, match=f"BinanceSpot does not support: {kind.value}"):
        BinanceSpot().plan(many(1, kind))


def test_every_request_must_be_acknowledged_by_its_own_id() -> None:
    (plan,) = BinanceSpot().plan(many(401))
    validator = BinanceSpot().validator(plan)
    for reply in (b'{"result":null,"id":2}', b'{"result":null,"id":2}', b'{"id":3,"result":null}'):
        assert validator.accept(reply)
        assert not validator.is_complete
    assert validator.accept(b'{"result":null,"id":9}'), "an answer to somebody else's request is no data either"
    assert not validator.is_complete
    assert validator.accept(b'{ "id" : 1, "result" : null }')
    assert validator.is_complete


@pytest.mark.parametrize(
    "frame",
    [
        b'{"e":"trade","s":"BTCUSDT"}',
        b'{"u":1,"s":"B","b":"1","B":"1","a":"1","A":"1"}',
        b"nonsense",
        b"[]",
        b"\xff",
        b"",
    ],
)
def test_whatever_is_no_answer_is_kept_for_later(frame: bytes) -> None:
    (plan,) = BinanceSpot().plan(many(1))
    validator = BinanceSpot().validator(plan)
    assert not validator.accept(frame)
    assert not validator.is_complete


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b'{"error":{"code":2,"msg":"Invalid request"},"id":1}', 2),
        (b'{"error":{"code":2,"msg":"Invalid request"}}', 2),
        (b'{"code":3,"msg":"Invalid JSON"}', 3),
        (b'{"result":[],"id":1}', None),
        (b'{"result":null,"error":{"code":1,"msg":"x"},"id":1}', 1),
        (b'{"error":null,"id":1}', None),
    ],
)
def test_refusal_names_address_and_code(reply: bytes, code: int | None) -> None:
    (plan,) = BinanceSpot().plan(many(1), "ws://venue")
    with pytest.raises(SubscribeRefused, match=r"ws://venue.*received failure subscription response") as caught:
        BinanceSpot().validator(plan).accept(reply)
    assert caught.value.code == code
