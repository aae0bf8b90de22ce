import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from services.market.config import subscriptions_of
from services.market.live import LiveFeed
from services.market.publisher import ShardPublisher
from services.market.venues.backoff import ReconnectPolicy
from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.connection import ConnectionSettings
from services.market.venues.errors import ConnectFailed, SubscribeRefused, VenueConnectionError
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import FeedSink
from services.market.venues.link import Link
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle
from tests.support.market_bus import BatchListener, KeptLog, Tasks, identity_of, market_metrics
from tests.support.market_feed import FakeLink, FakeNetwork
from tests.support.market_instruments import spot_index
from tests.support.recordings import ticker, trade
from tests.support.waiting import LIMIT_S, POLL_S, eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.core.market.event import PublicTrade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.subjects import DLQ_STREAM

BINANCE = ExchangeId.BINANCE_SPOT
INDEX = spot_index(BINANCE, "btc")
ACKNOWLEDGEMENT = b'{"result":null,"id":1}'

MakeFeed = Callable[[Iterable[Link | VenueConnectionError]], Awaitable[LiveFeed]]


@pytest.fixture
def health() -> Health:
    return Health(Lifecycle(), lambda report: None)


@pytest.fixture
def make_feed(broker: MemoryBroker, bus: MemoryBus, tasks: Tasks, log: KeptLog, health: Health) -> MakeFeed:
    broker.provision(topology((), ()))

    async def make(outcomes: Iterable[Link | VenueConnectionError]) -> LiveFeed:
        letters = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
        tasks.spawn(letters.run(), "letters")
        publisher = ShardPublisher(bus, BINANCE.value, 0, identity_of(INDEX), market_metrics())
        venue = partial(venue_feed, FakeNetwork(outcomes))
        return LiveFeed(BINANCE, venue, publisher, letters, health, market_metrics(), tasks.spawn, log.bound)

    return make


def venue_feed(network: FakeNetwork, sink: FeedSink) -> VenueFeed:
    exchange = INDEX.find_exchange_index(BINANCE)
    subscriptions = subscriptions_of(INDEX, BINANCE)
    settings = ConnectionSettings(reconnect=ReconnectPolicy(backoff_ms_initial=1, backoff_ms_max=1))
    return VenueFeed(BinanceSpot(), exchange, subscriptions, sink, settings=settings, connector=network.open)


def trade_ids(listener: BatchListener) -> list[str]:
    return [event.data.id for event in listener.events if isinstance(event.data, PublicTrade)]


async def test_what_the_venue_sends_is_published(make_feed: MakeFeed, other_bus: MemoryBus, health: Health) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    frames = [ACKNOWLEDGEMENT, trade("BTCUSDT", 1), ticker("BTCUSDT", 2), trade("BTCUSDT", 3)]
    feed = await make_feed([FakeLink(frames, ends=False)])
    await feed.start()
    await eventually(lambda: len(listener.events) == 3)
    assert trade_ids(listener) == ["1", "3"]
    assert [event.sequence for event in listener.events] == [1, 2, 3]
    assert {subject for subject, _ in listener.batches} == {"md.binance_spot.0"}
    await eventually(lambda: not health.report().reasons)
    status = feed.status()
    assert status["connected"] is True
    assert status["events"] == {"trade": 2, "l1": 1}
    await feed.stop()
    await feed.stop()


async def test_a_lost_connection_is_told_in_the_stream_in_health_and_in_the_log(
    make_feed: MakeFeed, other_bus: MemoryBus, health: Health, log: KeptLog
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    first = FakeLink([ACKNOWLEDGEMENT, trade("BTCUSDT", 1)])
    second = FakeLink([ACKNOWLEDGEMENT, trade("BTCUSDT", 2)], ends=False)
    feed = await make_feed([first, second])
    await feed.start()
    await eventually(lambda: len(listener.events) == 2)
    assert [item in listener.markers for item in listener.items] == [False, True, False]
    assert [event.sequence for event in listener.events] == [1, 2]
    assert len(log.of("feed lost")) == 1
    await eventually(lambda: not health.report().reasons)
    await feed.stop()


async def test_a_venue_that_is_away_is_told_and_tried_again(
    make_feed: MakeFeed, other_bus: MemoryBus, health: Health, log: KeptLog
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    away = [ConnectFailed(BINANCE, "wss://away", "nobody there") for _ in range(3)]
    feed = await make_feed([*away, FakeLink([ACKNOWLEDGEMENT, trade("BTCUSDT", 1)], ends=False)])
    await feed.start()
    assert "nobody there" in health.report().reasons["feed binance_spot"]
    assert feed.status()["connected"] is False
    await eventually(lambda: trade_ids(listener) == ["1"])
    await eventually(lambda: not health.report().reasons)
    assert len(log.of("venue not reachable")) == 3
    await feed.stop()


async def test_a_refused_subscription_ends_the_start(make_feed: MakeFeed) -> None:
    feed = await make_feed([FakeLink([b'{"error":{"code":-1121,"msg":"Invalid symbol."},"id":1}'], ends=False)])
    with pytest.raises(SubscribeRefused, match="Invalid symbol"):
        await feed.start()
    await feed.stop()


async def test_bad_frames_are_kept_and_logged_once_and_unknown_kinds_too(
    make_feed: MakeFeed, bus: MemoryBus, other_bus: MemoryBus, log: KeptLog
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    unknown = b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT"}}'
    frames = [ACKNOWLEDGEMENT, b"{broken", unknown, b"{broken too", trade("DOGEUSDT", 1), unknown, trade("BTCUSDT", 9)]
    feed = await make_feed([FakeLink(frames, ends=False)])
    await feed.start()
    await eventually(lambda: trade_ids(listener) == ["9"])
    status = feed.status()
    assert status["failed"] == {"malformed": 2, "unidentifiable": 1}
    assert status["unknown"] == {"kline": 2}
    assert [fields["kind"] for fields in log.of("bad frame")] == ["malformed", "unidentifiable"]
    assert [fields["kind"] for fields in log.of("unknown kind")] == ["kline"]

    async def letters() -> list[bytes]:
        state = await bus.journal_state(DLQ_STREAM)
        kept = [await bus.message(DLQ_STREAM, sequence) for sequence in range(1, state.last_sequence + 1)]
        return [dead_letter_from_bytes(message.payload).payload for message in kept if message is not None]

    async with asyncio.timeout(LIMIT_S):
        while len(await letters()) < 3:
            await asyncio.sleep(POLL_S)
    assert await letters() == [b"{broken", b"{broken too", trade("DOGEUSDT", 1)]
    await feed.stop()
