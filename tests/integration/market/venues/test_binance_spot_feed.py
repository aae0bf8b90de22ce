"""The live connector against a venue on loopback, over real sockets: the protocol, and every way it can break."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from typing import TypeAlias

import pytest

from services.market.venues.backoff import ReconnectPolicy
from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.connection import ConnectionSettings
from services.market.venues.connection_state import ConnectionState
from services.market.venues.errors import ConnectFailed, SubscribeRefused, SubscribeTimeout
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.silence import SilencePolicy
from tests.support.market_feed import KeepingSink
from tests.support.venue_server import (
    AckMode,
    GeneratedFlow,
    VenueServer,
    book_ticker_frame,
    play,
    trade_frame,
    unpaced,
)
from tradebus.core.market.event import BookL1, Level, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side

EXCHANGE = ExchangeIndex(0)
BTC, ETH = InstrumentIndex(0), InstrumentIndex(1)
STREAMS = ("btcusdt@trade", "btcusdt@bookTicker", "ethusdt@trade", "ethusdt@bookTicker")
SUBSCRIPTIONS = [
    Subscription(instrument, symbol, kind)
    for instrument, symbol in ((BTC, "BTCUSDT"), (ETH, "ETHUSDT"))
    for kind in (SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1)
]
QUICK = ReconnectPolicy(backoff_ms_initial=5, backoff_ms_max=20)

StartFeed: TypeAlias = Callable[..., Coroutine[None, None, tuple[VenueFeed, KeepingSink]]]


@pytest.fixture
async def venue() -> AsyncIterator[VenueServer]:
    async with VenueServer() as server:
        yield server


@pytest.fixture
async def start_feed(venue: VenueServer) -> AsyncIterator[StartFeed]:
    """Start feeds on the venue; they are stopped, and must not have failed, at the end of the test."""
    feeds: list[VenueFeed] = []

    async def start(
        subscriptions: list[Subscription] = SUBSCRIPTIONS,
        *,
        url: str | None = None,
        silence: SilencePolicy | None = None,
        validation_timeout_s: float = 10.0,
        retry_connect: bool = False,
    ) -> tuple[VenueFeed, KeepingSink]:
        sink = KeepingSink()
        settings = ConnectionSettings(
            reconnect=QUICK,
            validation_timeout_s=validation_timeout_s,
            silence=SilencePolicy() if silence is None else silence,
        )
        feed = VenueFeed(BinanceSpot(), EXCHANGE, subscriptions, sink, url=url or venue.ws_url, settings=settings)
        feeds.append(feed)
        await feed.start(retry_connect=retry_connect)
        return feed, sink

    yield start
    for feed in feeds:
        await feed.stop()
        await feed.wait()


def trade(number: int, symbol: str = "BTCUSDT") -> bytes:
    return trade_frame(symbol, number, "100.10000000", "0.50000000", time_ms=number, buyer_is_maker=True)


async def test_subscription_is_acknowledged_and_data_become_events(venue: VenueServer, start_feed: StartFeed) -> None:
    feed, sink = await start_feed()
    assert feed.connections[0].state is ConnectionState.STREAMING
    (session,) = venue.sessions
    assert [json.loads(request) for request in session.requests] == [
        {"method": "SUBSCRIBE", "params": list(STREAMS), "id": 1}
    ]
    await venue.publish("btcusdt@trade", trade(9))
    ticker = book_ticker_frame("ETHUSDT", 4, bid="99.5", bid_quantity="2", ask="0.00000000", ask_quantity="0")
    await venue.publish("ethusdt@bookTicker", ticker)
    await sink.wait_until(lambda: len(sink.events) == 2)
    of_trade, of_ticker = sink.events
    assert of_trade.data == PublicTrade("9", Decimal("100.1"), Decimal("0.5"), Side.SELL)
    assert (of_trade.exchange, of_trade.instrument, of_trade.sequence) == (EXCHANGE, BTC, 1)
    assert of_trade.time_exchange_ns == 9_000_000
    assert of_ticker.data == BookL1(Level(Decimal("99.5"), Decimal(2)), None)
    assert (of_ticker.instrument, of_ticker.time_exchange_ns) == (ETH, of_ticker.time_received_ns)
    assert of_trade.time_received_ns <= of_ticker.time_received_ns


async def test_nothing_of_a_fast_feed_is_lost_or_reordered(venue: VenueServer, start_feed: StartFeed) -> None:
    feed, sink = await start_feed()
    flow = GeneratedFlow(["BTCUSDT", "ETHUSDT"], seed=11)
    sent = await play(venue, unpaced(flow.frames(20_000)), awaited=STREAMS)
    await sink.wait_until(lambda: len(sink.events) >= sent)
    assert len(sink.events) == sent == sum(feed.tally.events.values())
    for instrument in (BTC, ETH):
        mine = [event for event in sink.events if event.instrument == instrument]
        assert [event.sequence for event in mine] == list(range(1, len(mine) + 1))
        ids = [int(event.data.id) for event in mine if isinstance(event.data, PublicTrade)]
        assert ids == list(range(1, len(ids) + 1))


async def test_combined_streams_give_the_same_events(venue: VenueServer, start_feed: StartFeed) -> None:
    _, raw = await start_feed()
    _, combined = await start_feed(url=venue.stream_url)
    await venue.publish("btcusdt@trade", trade(1))
    await raw.wait_until(lambda: len(raw.events) == 1)
    await combined.wait_until(lambda: len(combined.events) == 1)
    assert raw.events[0].data == combined.events[0].data
    assert [session.streams.combined for session in venue.sessions] == [False, True]


async def test_frames_before_the_acknowledgement_are_delivered_after_it(
    venue: VenueServer, start_feed: StartFeed
) -> None:
    venue.behaviour.early_frames = [trade(1), trade(2)]
    _, sink = await start_feed()
    await venue.publish("btcusdt@trade", trade(3))
    await sink.wait_until(lambda: len(sink.events) == 3)
    assert sink.trade_ids == ["1", "2", "3"]


@pytest.mark.parametrize("mode", [AckMode.REFUSE, AckMode.REFUSE_FLAT, AckMode.REFUSE_RESULT])
async def test_refused_subscription_raises_and_leaves_nothing_open(
    venue: VenueServer, start_feed: StartFeed, mode: AckMode
) -> None:
    venue.behaviour.ack = mode
    with pytest.raises(SubscribeRefused, match="received failure subscription response") as caught:
        await start_feed()
    assert caught.value.code == (None if mode is AckMode.REFUSE_RESULT else 2)
    await venue.wait_until(lambda: not venue.open_sessions)
    assert len(venue.sessions) == 1, "a refusal is not tried again"


async def test_withheld_acknowledgement_meets_the_deadline_although_data_and_pings_keep_coming(
    venue: VenueServer, start_feed: StartFeed
) -> None:
    venue.behaviour.ack = AckMode.WITHHOLD
    venue.behaviour.enforces_rate = False  # our pongs to this many pings

    async def chatter() -> None:
        while True:
            await venue.publish("btcusdt@trade", trade(1))
            await venue.ping(b"")
            await asyncio.sleep(0.01)

    chattering = asyncio.create_task(chatter())
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    with pytest.raises(SubscribeTimeout, match="subscription validation timeout reached"):
        await start_feed(validation_timeout_s=0.4)
    took_s = loop.time() - started_s
    chattering.cancel()
    assert 0.4 <= took_s < 3
    assert venue.sessions[0].frames_sent > 5
    await venue.wait_until(lambda: not venue.open_sessions)


async def test_one_deadline_covers_all_acknowledgements(venue: VenueServer, start_feed: StartFeed) -> None:
    # Three requests, of which the venue answers the first only.
    venue.behaviour.answers_max = 1
    many = [Subscription(BTC, f"S{number}USDT", SubscriptionKind.PUBLIC_TRADES) for number in range(401)]
    with pytest.raises(SubscribeTimeout, match=r"not all of 3 requests acknowledged within 1\.2 s"):
        await start_feed(many, validation_timeout_s=1.2)
    assert len(venue.sessions[0].requests) == 3


async def close_frame(venue: VenueServer) -> None:
    await venue.close_all(1001)


async def tcp_reset(venue: VenueServer) -> None:
    venue.reset_all()


@pytest.mark.parametrize(("break_it", "reason"), [(close_frame, "close frame 1001"), (tcp_reset, "connection lost")])
async def test_lost_connection_gives_a_marker_and_data_continue_after_resubscription(
    venue: VenueServer,
    start_feed: StartFeed,
    break_it: Callable[[VenueServer], Coroutine[None, None, None]],
    reason: str,
) -> None:
    feed, sink = await start_feed()
    await venue.publish("btcusdt@trade", trade(1))
    await sink.wait_until(lambda: len(sink.events) == 1)
    await break_it(venue)
    await venue.wait_subscribed(*STREAMS)
    await venue.publish("btcusdt@trade", trade(2))
    await sink.wait_until(lambda: len(sink.events) == 2)
    before, marker, after = sink.delivered
    assert isinstance(before, MarketEvent)
    assert isinstance(marker, MarketReconnecting)
    assert isinstance(after, MarketEvent)
    assert marker.exchange == EXCHANGE
    assert marker.reason.startswith(reason)
    assert (before.sequence, after.sequence) == (1, 2), "our own numbering has no gap: nothing of ours was lost"
    assert len(venue.sessions) == 2
    assert (feed.connections[0].drops, feed.connections[0].state) == (1, ConnectionState.STREAMING)


async def test_venue_that_is_down_for_a_while_is_found_again(venue: VenueServer, start_feed: StartFeed) -> None:
    _, sink = await start_feed()
    venue.behaviour.accept = False
    venue.reset_all()
    await venue.wait_until(lambda: venue.handshakes_refused >= 3)
    venue.behaviour.accept = True
    await venue.wait_subscribed(*STREAMS)
    await venue.publish("btcusdt@trade", trade(1))
    await sink.wait_until(lambda: len(sink.events) == 1)
    assert len(sink.markers) == 1
    assert len(sink.failed_attempts) >= 3
    assert all(isinstance(error, ConnectFailed) for error, _ in sink.failed_attempts)
    assert "503" in str(sink.failed_attempts[0][0])


async def test_garbage_is_counted_and_the_connection_goes_on(venue: VenueServer, start_feed: StartFeed) -> None:
    feed, sink = await start_feed()
    for frame in (b"garbage", b"\xff\x00", b'{"e":"trade"}', b'{"e":"kline"}', b'{"e":"kline"}', b"[]"):
        await venue.send_raw(frame)
    await venue.send_raw(trade(7, "SOLUSDT"))
    await venue.send_raw(b'{"error":{"code":2,"msg":"Invalid request"},"id":8}')
    await venue.publish("btcusdt@trade", trade(1))
    await sink.wait_until(lambda: len(sink.events) == 1)
    assert feed.tally.failed == {"malformed": 3, "unidentifiable": 1, "error_reply": 1}
    assert feed.tally.unknown == {"kline": 2, "not an object: [": 1}
    assert sink.unknown_kinds == ["kline", "not an object: ["], "each kind is reported once"
    assert len(sink.frame_errors) == 5
    assert sink.markers == []
    assert len(venue.sessions) == 1


async def test_pings_of_the_venue_are_answered_with_their_payload(venue: VenueServer, start_feed: StartFeed) -> None:
    await start_feed()
    await venue.ping(b"1700000000000")
    (session,) = venue.sessions
    await venue.wait_until(lambda: session.pongs_received == [b"1700000000000"])


async def test_quiet_market_is_probed_and_kept(venue: VenueServer, start_feed: StartFeed) -> None:
    _, sink = await start_feed(silence=SilencePolicy(probe_after_ms=500, silence_ms_max=5_000))
    (session,) = venue.sessions
    await venue.wait_until(lambda: session.pings_received >= 3)
    assert session.is_open
    assert not session.was_rate_limited
    assert sink.markers == []


async def test_half_open_connection_is_noticed_and_replaced(venue: VenueServer, start_feed: StartFeed) -> None:
    _, sink = await start_feed(silence=SilencePolicy(probe_after_ms=50, silence_ms_max=200))
    await venue.publish("btcusdt@trade", trade(1))
    await sink.wait_until(lambda: len(sink.events) == 1)
    venue.behaviour.is_frozen = True
    await sink.wait_until(lambda: len(sink.markers) == 1)
    assert sink.markers[0].reason == "nothing received for 200 ms"
    venue.behaviour.is_frozen = False
    await venue.wait_until(lambda: len(venue.sessions) > 1)
    await venue.wait_subscribed(*STREAMS)
    await venue.publish("btcusdt@trade", trade(2))
    await sink.wait_until(lambda: sink.trade_ids == ["1", "2"])


async def test_feed_that_only_answers_pings_is_replaced_where_data_are_due(
    venue: VenueServer, start_feed: StartFeed
) -> None:
    silence = SilencePolicy(probe_after_ms=1_000, silence_ms_max=10_000, data_silence_ms_max=150)
    _, sink = await start_feed(silence=silence)
    await sink.wait_until(lambda: len(sink.markers) >= 1)
    assert sink.markers[0].reason == "no data received for 150 ms"
    await venue.wait_until(lambda: len(venue.sessions) >= 2)


async def test_limits_of_the_venue_are_respected(venue: VenueServer, start_feed: StartFeed) -> None:
    # The server enforces them as the venue does: more than five messages in a second end the connection.
    many = [Subscription(BTC, f"S{number}USDT", SubscriptionKind.PUBLIC_TRADES) for number in range(1_030)]
    feed, _ = await start_feed(many)
    assert sorted(len(session.streams.streams) for session in venue.sessions) == [6, 1024]
    assert sorted(len(session.requests) for session in venue.sessions) == [1, 6]
    assert not any(session.was_rate_limited for session in venue.sessions)
    assert [status.subscriptions for status in feed.connections] == [1024, 6]


async def test_loss_of_one_of_two_connections_leaves_the_other_alone(venue: VenueServer, start_feed: StartFeed) -> None:
    many = [Subscription(BTC, f"S{number}USDT", SubscriptionKind.PUBLIC_TRADES) for number in range(1_025)]
    feed, sink = await start_feed(many)
    big, small = sorted(venue.sessions, key=lambda session: len(session.streams.streams), reverse=True)
    small.reset()
    await venue.wait_until(lambda: len(venue.sessions) == 3 and len(venue.open_sessions) == 2)
    await sink.wait_until(lambda: len(sink.markers) == 1)
    assert big.is_open
    assert [status.drops for status in feed.connections] == [0, 1]


async def test_stop_says_goodbye_and_nothing_comes_afterwards(venue: VenueServer, start_feed: StartFeed) -> None:
    feed, sink = await start_feed()
    (session,) = venue.sessions
    await venue.publish("btcusdt@trade", trade(1))
    await sink.wait_until(lambda: len(sink.events) == 1)
    waiting = asyncio.create_task(feed.wait())
    await feed.stop()
    await asyncio.wait_for(waiting, 10)
    await venue.wait_until(lambda: not session.is_open)
    assert session.close_code == 1000
    assert len(sink.delivered) == 1
    assert feed.connections[0].state is ConnectionState.STOPPED
    assert await venue.publish("btcusdt@trade", trade(2)) == 0


async def test_stop_does_not_wait_for_a_venue_that_does_not_answer(venue: VenueServer, start_feed: StartFeed) -> None:
    feed, _ = await start_feed()
    venue.behaviour.is_frozen = True
    started_s = asyncio.get_running_loop().time()
    await feed.stop()
    assert asyncio.get_running_loop().time() - started_s < 5


async def test_stop_during_a_start_leaves_nothing_open(venue: VenueServer, start_feed: StartFeed) -> None:
    venue.behaviour.ack = AckMode.WITHHOLD
    starting = asyncio.create_task(start_feed())
    await venue.wait_until(lambda: bool(venue.open_sessions))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await venue.wait_until(lambda: not venue.open_sessions)


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_venue_that_cannot_be_reached_is_named(start_feed: StartFeed) -> None:
    url = f"ws://127.0.0.1:{closed_port()}/ws"
    with pytest.raises(ConnectFailed, match=f"binance_spot .*{url}.*: no websocket") as caught:
        await start_feed(url=url)
    assert caught.value.url == url


async def test_venue_that_comes_up_later_is_found(venue: VenueServer, start_feed: StartFeed) -> None:
    port = closed_port()
    feed, sink = await start_feed(url=f"ws://127.0.0.1:{port}/ws", retry_connect=True)
    await sink.wait_until(lambda: len(sink.failed_attempts) >= 2)
    assert feed.connections[0].state in {ConnectionState.WAITING, ConnectionState.CONNECTING}
    async with VenueServer(port=port) as late:
        await late.wait_subscribed(*STREAMS)
        await late.publish("btcusdt@trade", trade(1))
        await sink.wait_until(lambda: len(sink.events) == 1)
        await feed.stop()
