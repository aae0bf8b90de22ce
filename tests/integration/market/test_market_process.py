"""The market service as a process, over a real NATS server: the demo's generators, a venue, and what goes wrong."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.market_bus import BatchListener
from tests.support.market_process import MarketProcess
from tests.support.market_settings import market_settings
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.venue_server import AckMode, VenueServer, stream_name, trade_frame
from tests.support.waiting import eventually
from tradebus.bus.interface import Bus
from tradebus.bus.message import Message
from tradebus.config import Settings
from tradebus.core.market.event import PublicTrade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire.codec.dlq import dead_letter_from_bytes
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_from_bytes
from tradebus.wire.subjects import DLQ_STREAM

ALPHA, BETA, BINANCE = ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA, ExchangeId.BINANCE_SPOT

Connect = Callable[[NatsServer], Awaitable[Bus]]


def demo(server: NatsServer, instance: str, **generator: int) -> Settings:
    market = {exchange: {"generator": {"seed": 1, "events_per_s": 500, **generator}} for exchange in (ALPHA, BETA)}
    return market_settings(
        "demo",
        [ALPHA, BETA],
        market=market,
        nats={"url": server.url, "embedded": False},
        runtime={"instance": instance, "heartbeat_ms": 100},
    )


def paper(server: NatsServer, venue_url: str) -> Settings:
    return market_settings(
        "paper",
        [BINANCE],
        market={BINANCE: {"url_ws": venue_url}},
        nats={"url": server.url, "embedded": False},
        runtime={"instance": "market-paper"},
    )


async def test_the_demo_publishes_both_exchanges_numbered_and_says_so_in_its_heartbeat(
    nats_server: NatsServer, connect: Connect, tmp_path: Path
) -> None:
    settings = demo(nats_server, "market-demo")
    bus = await connect(nats_server)
    listener = await BatchListener.on(bus, settings.indexed_instruments())
    beats: list[Heartbeat] = []

    def take_beat(message: Message) -> None:
        beats.append(heartbeat_from_bytes(message.payload))

    await bus.subscribe("hb.market.market-demo", take_beat)
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        await eventually(lambda: len(listener.events) > 500)
        published = await market.status("sim_alpha")
        assert published["source"] == "generator"
        assert published["items"] > 0
        assert await market.stop() == 0
    last: dict[str, int] = defaultdict(int)
    epochs = set()
    for subject, batch in listener.batches:
        assert batch.head.publisher == "market-demo"
        assert batch.head.sequence == last[subject] + 1
        last[subject] += len(batch.items)
        epochs.add(batch.head.publisher_epoch)
    assert set(last) == {"md.sim_alpha.0", "md.sim_beta.0"}
    assert len(epochs) == 1
    numbers: dict[int, int] = defaultdict(int)
    for event in listener.events:
        assert event.sequence == numbers[event.instrument] + 1
        numbers[event.instrument] += 1
    assert len(numbers) == 4
    # Ordered stop: the last heartbeat speaks of everything that was published.
    said = {position.subject: position for position in beats[-1].positions}
    assert {position.epoch for position in said.values()} == epochs
    assert all(0 < said[subject].sequence <= sequence for subject, sequence in last.items())
    for before, after in pairwise(beats):
        assert [position.sequence for position in before.positions] <= [each.sequence for each in after.positions]
    (ended,) = market.logged("feeds ended")
    assert ended["published"] == dict(last)
    assert market.logged("stopped")[0]["exit_code"] == 0


async def test_a_restart_begins_a_higher_epoch_where_prices_were(
    nats_server: NatsServer, connect: Connect, tmp_path: Path
) -> None:
    settings = demo(nats_server, "market-again")
    bus = await connect(nats_server)
    listener = await BatchListener.on(bus, settings.indexed_instruments())
    async with MarketProcess(settings, tmp_path) as market:
        await eventually(lambda: len(listener.events) > 100)
        await market.kill()
        before = len(listener.batches)
        await market.start()
        await eventually(lambda: len(listener.batches) > before + 10)
    first, second = listener.batches[0][1], listener.batches[-1][1]
    assert second.head.publisher_epoch > first.head.publisher_epoch
    trades = [event.data for event in listener.events if event.instrument == 0 and isinstance(event.data, PublicTrade)]
    prices = [trade.price for trade in trades]
    assert max(prices) / min(prices) < Decimal("1.01"), "prices go on where the clock says, not where they began"
    ids = [int(trade.id) for trade in trades]
    assert ids == sorted(set(ids))


async def test_a_lost_nats_server_shows_in_health_and_as_a_gap_and_the_service_goes_on(
    new_nats_server: ServerFactory, connect: Connect, tmp_path: Path
) -> None:
    server = new_nats_server()
    settings = demo(server, "market-lost")
    bus = await connect(server)
    listener = await BatchListener.on(bus, settings.indexed_instruments())
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        await eventually(lambda: len(listener.events) > 100)
        server.kill()
        await market.wait_not_ready()
        _, body = await market.get("/health/ready")
        assert "bus" in body["reasons"]
        before = len(listener.batches)
        server.start()
        await market.wait_ready()
        await eventually(lambda: len(listener.batches) > before + 5)
        assert (await market.status("sim_alpha"))["items_dropped"] > 0
        assert await market.stop() == 0
    alpha = [batch for subject, batch in listener.batches if subject == "md.sim_alpha.0"]
    assert any(after.head.sequence > before.head.sequence + len(before.items) for before, after in pairwise(alpha))
    assert len({batch.head.publisher_epoch for batch in alpha}) == 1


async def test_it_waits_for_a_nats_server_that_comes_later(new_nats_server: ServerFactory, tmp_path: Path) -> None:
    server = new_nats_server()
    server.kill()
    async with MarketProcess(demo(server, "market-early"), tmp_path) as market:
        await market.wait_not_ready()
        await market.wait_logged("NATS not reachable, retrying")
        server.start()
        await market.wait_ready()
        assert await market.stop() == 0


async def test_a_venue_is_followed_through_a_broken_connection_and_bad_frames(
    nats_server: NatsServer, connect: Connect, tmp_path: Path
) -> None:
    await nats_server.provision()
    bus = await connect(nats_server)
    async with VenueServer() as venue:
        settings = paper(nats_server, venue.ws_url)
        listener = await BatchListener.on(bus, settings.indexed_instruments())
        stream = stream_name("BTCUSDT", "trade")

        async def send(number: int) -> None:
            frame = trade_frame("BTCUSDT", number, "61837.63", "0.02", time_ms=1_723_161_255_000, buyer_is_maker=True)
            await venue.publish(stream, frame)

        async with MarketProcess(settings, tmp_path) as market:
            await market.wait_ready()
            await venue.wait_subscribed(stream)
            await send(1)
            await venue.send_raw(b"{broken")
            await eventually(lambda: len(listener.events) == 1)
            venue.reset_all()
            await eventually(lambda: listener.markers)
            await venue.wait_until(lambda: any(stream in each.streams.streams for each in venue.open_sessions))
            await market.wait_ready()
            await send(2)
            await eventually(lambda: len(listener.events) == 2)
            status = await market.status("binance_spot")
            assert status["failed"] == {"malformed": 1}
            assert status["connections"][0]["drops"] == 1
            assert await market.stop() == 0
    assert [event.sequence for event in listener.events] == [1, 2]
    assert [item in listener.markers for item in listener.items] == [False, True, False]
    letter = await bus.last_message(DLQ_STREAM)
    assert letter is not None
    assert dead_letter_from_bytes(letter.payload).payload == b"{broken"


async def test_an_absent_venue_keeps_it_from_being_ready_and_nothing_else(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with MarketProcess(paper(nats_server, "ws://127.0.0.1:9/ws"), tmp_path) as market:
        await market.wait_logged("venue not reachable, retrying")
        await market.wait_not_ready()
        _, body = await market.get("/health/ready")
        assert "ws://127.0.0.1:9/ws" in body["reasons"]["feed binance_spot"]
        assert (await market.get("/health/live"))[0] == 200
        assert await market.stop() == 0


@pytest.mark.parametrize("name", ["binance-usdm-x", "notes.txt"])
async def test_recordings_that_nobody_can_read_start_nothing(
    nats_server: NatsServer, tmp_path: Path, name: str
) -> None:
    bad = tmp_path / name
    bad.write_text("x")
    settings = market_settings(
        "replay", [BINANCE], recording=[bad], nats={"url": nats_server.url, "embedded": False}, runtime={"run": "r1"}
    )
    async with MarketProcess(settings, tmp_path) as market:
        assert await market.process.wait() == 3
    said = market.log_path.read_text()
    assert name in said
    assert "begins with binance-spot-" in said


async def test_a_venue_that_refuses_ends_the_service_with_its_words(nats_server: NatsServer, tmp_path: Path) -> None:
    async with VenueServer() as venue:
        venue.behaviour.ack = AckMode.REFUSE
        async with MarketProcess(paper(nats_server, venue.ws_url), tmp_path) as market:
            assert await market.process.wait() == 1
    (failed,) = market.logged("failed, stopping")
    assert "subscription refused" in failed["reason"]
    assert "ExceptionGroup" not in failed["reason"]
