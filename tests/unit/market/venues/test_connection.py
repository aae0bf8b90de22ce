"""The life of one connection, on a network and a clock that the test holds in its hands."""

import asyncio
from collections.abc import Iterable

import pytest

from services.market.venues import connection as connection_module
from services.market.venues.backoff import ReconnectPolicy
from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.connection import ConnectionSettings
from services.market.venues.connection_state import ConnectionState
from services.market.venues.errors import (
    ConnectFailed,
    LinkClosed,
    MalformedFrame,
    SubscribeRefused,
    SubscribeTimeout,
    TooManyEarlyFrames,
    VenueConnectionError,
)
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.link import Link
from services.market.venues.silence import SilencePolicy
from tests.support.market_feed import FOREVER_S, FakeClock, FakeLink, FakeNetwork, KeepingSink
from tests.support.venue_server.frames import trade_frame
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex, InstrumentIndex

ACK = b'{"result":null,"id":1}'
EXCHANGE = ExchangeIndex(0)
NO_CONNECTION = ConnectFailed(ExchangeId.BINANCE_SPOT, "fake", "the fake network is down")
# The watchdog would sleep on the fake clock and make it run ahead: where it is not the matter, it sleeps for ever.
PATIENT = SilencePolicy(probe_after_ms=int(FOREVER_S) * 2_000, silence_ms_max=int(FOREVER_S) * 3_000)


def trade(number: int) -> bytes:
    return trade_frame("BTCUSDT", number, "1.5", "0.1", time_ms=number, buyer_is_maker=False)


def make_feed(
    outcomes: Iterable[Link | VenueConnectionError],
    *,
    silence: SilencePolicy = PATIENT,
    reconnect: ReconnectPolicy | None = None,
    validation_timeout_s: float = 10.0,
) -> tuple[VenueFeed, KeepingSink, FakeClock, FakeNetwork]:
    sink, clock, network = KeepingSink(), FakeClock(), FakeNetwork(outcomes)
    feed = VenueFeed(
        BinanceSpot(),
        EXCHANGE,
        [Subscription(InstrumentIndex(0), "BTCUSDT", SubscriptionKind.PUBLIC_TRADES)],
        sink,
        settings=ConnectionSettings(
            silence=silence,
            validation_timeout_s=validation_timeout_s,
            reconnect=ReconnectPolicy(jitter_fraction=0) if reconnect is None else reconnect,
        ),
        clock=clock,
        random=lambda: 0.5,
        connector=network.open,
    )
    return feed, sink, clock, network


async def test_early_frames_come_first_then_live_ones_with_their_own_receive_times() -> None:
    link = FakeLink([trade(1), trade(2), ACK, trade(3)], ends=False)
    feed, sink, clock, _ = make_feed([link])
    early_ns = clock.now_ns()
    await feed.start()
    clock.advance_ms(7)
    await sink.wait_until(lambda: len(sink.events) == 3)
    await feed.stop()
    assert sink.trade_ids == ["1", "2", "3"]
    assert [event.time_received_ns - early_ns for event in sink.events[:2]] == [0, 0]
    assert sink.events[2].time_received_ns > early_ns
    assert link.sent == [b'{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}']
    assert link.is_closed


async def test_lost_connection_gives_a_marker_and_comes_back_with_the_sequence_going_on() -> None:
    feed, sink, _, network = make_feed([FakeLink([ACK, trade(1)]), FakeLink([trade(2), ACK, trade(3)], ends=False)])
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 3)
    await feed.stop()
    assert [each.sequence if isinstance(each, MarketEvent) else each for each in sink.delivered] == [
        1, MarketReconnecting(EXCHANGE, "the fake link ended"), 2, 3,
    ]  # fmt: skip
    assert network.attempts == 2
    assert feed.connections[0].drops == 1
    assert feed.connections[0].state is ConnectionState.STOPPED


async def test_failed_attempts_wait_longer_and_tell_the_sink() -> None:
    down = [NO_CONNECTION] * 4
    feed, sink, clock, _ = make_feed([FakeLink([ACK]), *down, FakeLink([ACK, trade(1)], ends=False)])
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 1)
    await feed.stop()
    assert clock.sleeps_ms == [125, 250, 500, 1000, 2000], "the drop straight away is the first failure"
    assert [wait for _, wait in sink.failed_attempts] == [250, 500, 1000, 2000]
    assert len(sink.markers) == 1, "one marker for the loss, none for failed attempts"


async def test_connection_that_was_stable_comes_back_at_once() -> None:
    feed, sink, clock, network = make_feed([])
    stable = FakeLink([ACK, trade(1)], on_end=lambda: clock.advance_ms(10_000))
    network._outcomes += [stable, FakeLink([ACK, trade(2)], ends=False)]
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 2)
    await feed.stop()
    assert clock.sleeps_ms == []


async def test_venue_that_accepts_and_hangs_up_is_not_hammered() -> None:
    feed, sink, clock, network = make_feed([FakeLink([ACK]) for _ in range(6)])
    await feed.start()
    await asyncio.wait_for(network.is_exhausted.wait(), 10)
    await feed.stop()
    assert clock.sleeps_ms == [125, 250, 500, 1000, 2000, 4000]
    assert len(sink.markers) == 6


async def test_jitter_is_drawn_from_the_source_given() -> None:
    feed, _, clock, network = make_feed([FakeLink([ACK])], reconnect=ReconnectPolicy(jitter_fraction=0.2))
    await feed.start()
    await asyncio.wait_for(network.is_exhausted.wait(), 10)
    await feed.stop()
    assert clock.sleeps_ms == [137]


async def test_first_attempt_is_not_repeated_and_raises() -> None:
    feed, _, clock, network = make_feed([NO_CONNECTION])
    with pytest.raises(ConnectFailed, match="the fake network is down"):
        await feed.start()
    assert network.attempts == 1
    assert clock.sleeps_s == []
    await feed.stop()


async def test_first_attempt_is_repeated_where_the_caller_wants_it() -> None:
    feed, sink, clock, _ = make_feed([NO_CONNECTION, NO_CONNECTION, FakeLink([ACK, trade(1)], ends=False)])
    await feed.start(retry_connect=True)
    await sink.wait_until(lambda: len(sink.events) == 1)
    await feed.stop()
    assert clock.sleeps_ms == [125, 250]
    assert [wait for _, wait in sink.failed_attempts] == [125, 250]
    assert sink.markers == []


async def test_refusal_at_the_start_raises_even_where_attempts_are_repeated() -> None:
    link = FakeLink([b'{"error":{"code":2,"msg":"no"},"id":1}'], ends=False)
    feed, *_ = make_feed([link])
    with pytest.raises(SubscribeRefused, match="code 2: received failure subscription response: no"):
        await feed.start(retry_connect=True)
    assert link.is_closed
    assert feed.connections[0].state is ConnectionState.STOPPED


async def test_refusal_after_a_loss_is_tried_again() -> None:
    refusing = FakeLink([b'{"result":[],"id":1}'], ends=False)
    feed, sink, *_ = make_feed([FakeLink([ACK]), refusing, FakeLink([ACK, trade(1)], ends=False)])
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 1)
    await feed.stop()
    assert [type(error) for error, _ in sink.failed_attempts] == [SubscribeRefused]
    assert refusing.is_closed


async def test_connection_that_ends_before_the_acknowledgement_is_a_failed_attempt() -> None:
    feed, *_ = make_feed([FakeLink([trade(1)])])
    with pytest.raises(LinkClosed):
        await feed.start()


class ChattyLink(FakeLink):
    """Sends data for ever and never acknowledges."""

    async def receive(self) -> bytes:
        self.received += 1
        await asyncio.sleep(0.001)
        return trade(self.received)


async def test_data_do_not_postpone_the_deadline_for_acknowledgements() -> None:
    link = ChattyLink([])
    feed, sink, *_ = make_feed([link], validation_timeout_s=0.1)
    with pytest.raises(SubscribeTimeout, match=r"validation timeout reached: not all of 1 requests .* within 0.1 s"):
        await feed.start()
    assert link.received > 1
    assert link.is_closed
    assert sink.delivered == []


async def test_early_frames_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "EARLY_FRAMES_MAX", 10)
    feed, *_ = make_feed([ChattyLink([])])
    with pytest.raises(TooManyEarlyFrames, match="10 frames, no acknowledgement"):
        await feed.start()


async def test_frames_that_fail_are_counted_forwarded_and_survived() -> None:
    feed, sink, *_ = make_feed([FakeLink([b"early garbage", ACK, b"garbage", b'{"e":"kline"}', trade(1)], ends=False)])
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 1)
    await feed.stop()
    assert [error.payload for error in sink.frame_errors] == [b"early garbage", b"garbage"]
    assert all(isinstance(error, MalformedFrame) for error in sink.frame_errors)
    assert sink.unknown_kinds == ["kline"]
    assert (feed.tally.failed, feed.tally.unknown) == ({"malformed": 2}, {"kline": 1})
    assert sink.markers == []


async def test_silent_link_is_probed_and_then_replaced() -> None:
    silent = FakeLink([ACK], ends=False)
    feed, sink, *_ = make_feed([silent, FakeLink([ACK, trade(1)], ends=False)], silence=SilencePolicy())
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 1)
    await feed.stop()
    assert silent.pings == 1
    assert silent.is_closed
    assert [marker.reason for marker in sink.markers] == ["nothing received for 15000 ms"]


class BrokenSink(KeepingSink):
    """A sink with a bug."""

    def on_events(self, events: object) -> None:
        raise RuntimeError("the sink is broken")


async def test_mistake_in_the_sink_stops_the_feed_and_comes_out() -> None:
    link = FakeLink([ACK, trade(1)], ends=False)
    network = FakeNetwork([link])
    subscription = Subscription(InstrumentIndex(0), "BTCUSDT", SubscriptionKind.PUBLIC_TRADES)
    feed = VenueFeed(BinanceSpot(), EXCHANGE, [subscription], BrokenSink(), connector=network.open)
    await feed.start()
    with pytest.raises(RuntimeError, match="the sink is broken"):
        await asyncio.wait_for(feed.wait(), 10)
    assert link.is_closed
    assert network.attempts == 1
    await feed.stop()


async def test_stop_straight_after_start_closes_what_was_opened() -> None:
    link = FakeLink([ACK, trade(1)], ends=False)
    feed, sink, *_ = make_feed([link])
    await feed.start()
    await feed.stop()
    assert link.is_closed
    assert sink.delivered == []


async def test_stop_ends_a_wait_and_may_be_called_twice() -> None:
    feed, sink, *_ = make_feed([FakeLink([ACK, trade(1)], ends=False)])
    await feed.start()
    await sink.wait_until(lambda: len(sink.events) == 1)
    waiting = asyncio.create_task(feed.wait())
    await asyncio.sleep(0)
    await feed.stop()
    await asyncio.wait_for(waiting, 10)
    await feed.stop()
    assert sink.markers == [], "an ordered stop is no loss"
