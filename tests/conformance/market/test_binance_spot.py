"""Does the Binance spot connector behave like barter 0.12.5, with its defects corrected?

Each case of the vectors runs as one test. ``corrected`` wins over ``expected``. Cases of other exchanges wait for their
connectors; a Binance spot case that does not apply to what is built is listed here with the reason, and the list is
checked: a case that begins to apply must leave it.
"""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.market.venues.backoff import Backoff, ReconnectPolicy
from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.binance_spot.client import subscription_id
from services.market.venues.connection import ConnectionSettings
from services.market.venues.errors import FrameError, MalformedFrame, SubscribeRefused, UnidentifiableFrame
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.silence import SilencePolicy
from services.market.venues.tally import FrameTally
from tests.support.market_feed import FOREVER_S, FakeClock, FakeLink, FakeNetwork, KeepingSink
from tests.support.venue_server.frames import trade_frame
from tradebus.core.market.event import BookL1, Level, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex, InstrumentIndex

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "market-data"
VENUE = "binance_spot"
EXCHANGE = ExchangeIndex(0)
RECEIVED_NS = 1_700_000_000_123_456_789
ACK = b'{"result":null,"id":1}'

KINDS = {
    "PublicTrades": SubscriptionKind.PUBLIC_TRADES,
    "OrderBooksL1": SubscriptionKind.ORDER_BOOKS_L1,
    "OrderBooksL2": SubscriptionKind.ORDER_BOOKS_L2,
}
CHANNELS = {"@trade": SubscriptionKind.PUBLIC_TRADES, "@bookTicker": SubscriptionKind.ORDER_BOOKS_L1}
ERRORS = {"Deserialise": MalformedFrame, "Unidentifiable": UnidentifiableFrame}

NOT_APPLICABLE = {
    "binance_spot-l2": "order books of more than the best level are not translated yet",
    "terminal-InvalidSequence": "belongs to the sequencer of order books, which are not translated yet",
    "terminal-Socket": "error classes are told apart by whether they are a FrameError: see the non-terminal case",
    "terminal-Unsupported": "an unsupported subscription is refused before anything is connected",
}

Case = dict[str, Any]


def cases(file: str, *, every: bool = False) -> list[Any]:
    """Return the cases of a file that concern Binance spot; ``every`` for files that name no exchange."""
    found: list[Case] = json.loads((VECTORS / f"{file}.json").read_text(encoding="utf-8"))["cases"]
    mine = [case for case in found if every or case.get("exchange") == VENUE]
    assert mine, f"{file}.json has no case of {VENUE}"
    return [pytest.param(case, id=case["id"]) for case in mine if case["id"] not in NOT_APPLICABLE]


def wanted(case: Case) -> Any:
    return case.get("corrected", case.get("expected"))


def raw_frame(case: Case) -> bytes:
    return str(case["raw"]).encode() if case.get("raw_is_text") else msgspec.json.encode(case["raw"])


def subscription(identifier: str, instrument: int = 0) -> Subscription:
    channel, _, symbol = identifier.partition("|")
    return Subscription(InstrumentIndex(instrument), symbol, CHANNELS[channel])


def time_ns(value: int | str) -> int:
    return RECEIVED_NS if value == "now" else int(value)


def level(value: Case | None) -> Level | None:
    return None if value is None else Level(Decimal(value["price"]), Decimal(value["amount"]))


def check_event(event: MarketEvent, expected: Case, instrument: InstrumentIndex) -> None:
    assert expected["exchange"] == VENUE
    assert (event.exchange, event.instrument) == (EXCHANGE, instrument)
    assert event.time_exchange_ns == time_ns(expected["time_exchange_ns"])
    assert event.time_received_ns == RECEIVED_NS
    data = expected["data"]
    if expected["kind"] == "trade":
        assert isinstance(event.data, PublicTrade)
        assert event.data.id == data["id"]
        # The reference holds trades as binary floats; ours are what the venue wrote.
        assert float(event.data.price) == pytest.approx(data["price"], rel=1e-12)
        assert float(event.data.amount) == pytest.approx(data["amount"], rel=1e-12)
        assert str(event.data.side) == data["side"].lower()
    else:
        assert expected["kind"] == "order_book_l1"
        assert event.data == BookL1(level(data["best_bid"]), level(data["best_ask"]))


@pytest.mark.parametrize("case", [*cases("trades"), *cases("order_book_l1")])
def test_frame_gives_the_events_or_the_error_of_the_vector(case: Case) -> None:
    subscriptions = [subscription(identifier, 5) for identifier in case["subscriptions"]]
    if "subscription_id" in case:
        assert case["subscription_id"] in {subscription_id(each) for each in subscriptions}
    translator = BinanceSpot().translator(EXCHANGE, subscriptions, InstrumentSequences(), FrameTally())
    if "expected_error" in case and "corrected" not in case:
        error = case["expected_error"]
        with pytest.raises(ERRORS[error["class"]]) as caught:
            translator.translate(raw_frame(case), RECEIVED_NS)
        if "subscription_id" in error:
            assert isinstance(caught.value, UnidentifiableFrame)
            assert caught.value.subscription_id == error["subscription_id"]
        return
    events = translator.translate(raw_frame(case), RECEIVED_NS)
    assert len(events) == len(wanted(case))
    for event, expected in zip(events, wanted(case), strict=True):
        check_event(event, expected, InstrumentIndex(5))


@pytest.mark.parametrize("case", cases("subscribe"))
def test_subscriptions_become_the_requests_of_the_vector(case: Case) -> None:
    kind = KINDS[case["sub_kind"]]
    subscriptions = [Subscription(InstrumentIndex(i), market, kind) for i, market in enumerate(case["markets"])]
    (plan,) = BinanceSpot().plan(subscriptions)
    assert plan.url == case["url"]
    assert [json.loads(request.payload) for request in plan.requests] == case["expected_messages"]
    assert len(plan.requests) == case["expected_responses"]
    assert [subscription_id(each) for each in plan.subscriptions] == case["expected_subscription_ids"]
    assert "ping" not in case, "Binance has no application ping"


@pytest.mark.parametrize("case", cases("subscription_responses"))
def test_answer_to_a_subscription_means_what_the_vector_says(case: Case) -> None:
    (plan,) = BinanceSpot().plan([subscription("@trade|BTCUSDT")])
    validator = BinanceSpot().validator(plan)
    result = case.get("corrected", case["result"])
    if result == "failure":
        with pytest.raises(SubscribeRefused, match=case["error_message"]):
            validator.accept(raw_frame(case))
    else:
        assert validator.accept(raw_frame(case)) is (result == "success")
        assert validator.is_complete is (result == "success")


def feed_over(network: FakeNetwork, identifiers: list[str], clock: FakeClock) -> tuple[VenueFeed, KeepingSink]:
    sink = KeepingSink()
    never = SilencePolicy(probe_after_ms=int(FOREVER_S) * 2_000, silence_ms_max=int(FOREVER_S) * 3_000)
    feed = VenueFeed(
        BinanceSpot(),
        EXCHANGE,
        [subscription(identifier) for identifier in identifiers],
        sink,
        settings=ConnectionSettings(silence=never),
        clock=clock,
        connector=network.open,
    )
    return feed, sink


@pytest.mark.parametrize("case", cases("validation_scripts"))
async def test_validation_ends_as_the_vector_says(case: Case) -> None:
    assert case["expected"]["result"] == "ok"
    frames = [msgspec.json.encode(message) for message in case["messages"]]
    feed, sink = feed_over(FakeNetwork([FakeLink(frames, ends=False)]), case["subscription_ids"], FakeClock())
    await feed.start()
    assert sink.delivered == [], "buffered, not delivered, until the subscription stands"
    await sink.wait_until(lambda: len(sink.events) == case["expected"]["buffered"])
    await feed.stop()


def reconnect_cases(member: str) -> list[Any]:
    return [param for param in cases("reconnect", every=True) if member in param.values[0]]


@pytest.mark.parametrize("case", reconnect_cases("expected_sleeps_ms"))
def test_backoff_sleeps_as_the_vector_says(case: Case) -> None:
    backoff = Backoff(ReconnectPolicy(**case["policy"]), lambda: 0.0)
    sleeps = [backoff.after_failure() for result in case["reconnect_results"] if result == "fail"]
    assert sleeps == case["expected_sleeps_ms"]
    # A connection that was stable and then lost is tried again without any sleep.
    assert backoff.after_drop(lived_ms=10_000) == 0


def frame_of(item: Case) -> bytes:
    """Give an inner stream's item as a frame: ``ok`` a trade of that number, ``err`` one that cannot be decoded."""
    if "ok" in item:
        return trade_frame("BTCUSDT", item["ok"], "1", "1", time_ms=1, buyer_is_maker=False)
    assert item["err"] == "Socket"
    return b"not decodable"


def items_of(sink: KeepingSink) -> Iterator[Case]:
    for each in sink.delivered:
        if isinstance(each, MarketEvent):
            assert isinstance(each.data, PublicTrade)
            yield {"item": {"ok": int(each.data.id)}}
        elif isinstance(each, MarketReconnecting):
            yield {"reconnecting": VENUE}
        else:
            assert isinstance(each, FrameError)
            yield {"item": {"err": "Socket"}}


@pytest.mark.parametrize("case", reconnect_cases("inner_streams"))
async def test_reconnecting_markers_stand_where_the_vector_says(case: Case) -> None:
    assert ExchangeId(case["origin"]) is BinanceSpot.exchange
    links = [FakeLink([ACK, *(frame_of(item) for item in stream)]) for stream in case["inner_streams"]]
    network = FakeNetwork(links)
    feed, sink = feed_over(network, ["@trade|BTCUSDT"], FakeClock())
    await feed.start()
    await asyncio.wait_for(network.is_exhausted.wait(), 10)
    await feed.stop()
    assert list(items_of(sink)) == wanted(case)


@pytest.mark.parametrize("case", reconnect_cases("buffered_event_ids"))
async def test_fresh_stream_yields_in_the_order_of_the_vector(case: Case) -> None:
    # Trades and best levels have no snapshot; what remains is that buffered events precede live ones.
    numbers = {name: number for number, name in enumerate(wanted(case), start=1)}
    snapshots = set(case["snapshot_event_ids"])

    def frames(names: list[str]) -> list[bytes]:
        return [frame_of({"ok": numbers[name]}) for name in names]

    link = FakeLink([*frames(case["buffered_event_ids"]), ACK, *frames(case["live_event_ids"])], ends=False)
    feed, sink = feed_over(FakeNetwork([link]), ["@trade|BTCUSDT"], FakeClock())
    await feed.start()
    expected = [str(numbers[name]) for name in wanted(case) if name not in snapshots]
    await sink.wait_until(lambda: len(sink.events) == len(expected))
    await feed.stop()
    assert sink.trade_ids == expected


def test_cases_left_out_are_still_out_of_reach() -> None:
    known = {case["id"] for path in sorted(VECTORS.glob("*.json")) for case in json.loads(path.read_text())["cases"]}
    assert set(NOT_APPLICABLE) <= known
    assert SubscriptionKind.ORDER_BOOKS_L2 not in BinanceSpot.kinds
