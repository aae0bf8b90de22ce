"""A replay through a real NATS server: nothing is lost, whatever is killed on the way."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from services.market.recording import read_recordings
from tests.support.market_bus import ReplayEngine
from tests.support.market_process import MarketProcess
from tests.support.market_settings import market_settings
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.recordings import START_NS, depth, line, real_recordings, recording, ticker, trade
from tests.support.waiting import eventually
from tradebus.bus.interface import Bus
from tradebus.config import Settings
from tradebus.core.model.identifiers import ExchangeId

BINANCE = ExchangeId.BINANCE_SPOT
EVENTS = 20_000
PATIENCE_S = 0.5

Connect = Callable[[NatsServer], Awaitable[Bus]]


def replay(server: NatsServer, files: list[Path], run: str) -> Settings:
    return market_settings(
        "replay",
        [BINANCE],
        recording=files,
        nats={"url": server.url, "embedded": False},
        runtime={"run": run, "instance": f"market-{run}"},
    )


def generated(folder: Path, count: int = EVENTS) -> list[Path]:
    lines = []
    for number in range(count):
        lines.append(line(START_NS + number, (ticker if number % 4 else trade)("BTCUSDT", number)))
        if number % 20 == 0:
            lines.append(line(START_NS + number, depth("BTCUSDT", number)))
    return [recording(folder / "binance-spot-btcusdt.gz", lines)]


def engine_for(bus: Bus, settings: Settings, ahead: int = 4_096) -> ReplayEngine:
    return ReplayEngine(
        bus, settings.indexed_instruments(), engine_id=settings.journal_id, run=settings.runtime.run or "", ahead=ahead
    )


async def test_an_engine_that_comes_later_gets_every_event_once(
    nats_server: NatsServer, connect: Connect, tmp_path: Path
) -> None:
    files = generated(tmp_path)
    settings = replay(nats_server, files, "complete")
    bus = await connect(nats_server)
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        engine = engine_for(bus, settings)
        await engine.listen()
        await engine.finish(60, patience_s=PATIENCE_S)
        assert engine.events == list(read_recordings(files, settings.indexed_instruments()))
        assert engine.total == EVENTS
        status = await market.status("replay")
        assert status["events_sent"] == EVENTS
        assert status["is_exhausted"] is True
        assert status["report"]["skipped"] == {"depth": EVENTS // 20}
        assert await market.stop() == 0


async def test_a_killed_nats_server_costs_no_event(
    new_nats_server: ServerFactory, connect: Connect, tmp_path: Path
) -> None:
    server = new_nats_server()
    files = generated(tmp_path)
    settings = replay(server, files, "killed")
    bus = await connect(server)
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        engine = engine_for(bus, settings, ahead=512)
        await engine.listen()
        engine.grant()
        await eventually(lambda: len(engine.events) > 2_000)
        server.kill()
        server.start()
        await engine.finish(60, patience_s=PATIENCE_S)
        assert [event.sequence for event in engine.events] == list(range(1, EVENTS + 1))
        await market.wait_ready()
        assert await market.stop() == 0


async def test_a_killed_feed_goes_on_where_it_was(nats_server: NatsServer, connect: Connect, tmp_path: Path) -> None:
    files = generated(tmp_path)
    settings = replay(nats_server, files, "restarted")
    bus = await connect(nats_server)
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        engine = engine_for(bus, settings, ahead=512)
        await engine.listen()
        engine.grant()
        await eventually(lambda: len(engine.events) > 2_000)
        await market.kill()
        await market.start()
        await market.wait_ready()
        await engine.finish(60, patience_s=PATIENCE_S)
        assert [event.sequence for event in engine.events] == list(range(1, EVENTS + 1))
        assert await market.stop() == 0


async def test_the_real_recordings_arrive_complete(nats_server: NatsServer, connect: Connect, tmp_path: Path) -> None:
    files = real_recordings("binance-spot-btcusdt-20240808.gz", "binance-spot-ethusdt-20240808.gz")
    settings = replay(nats_server, files, "real")
    bus = await connect(nats_server)
    async with MarketProcess(settings, tmp_path) as market:
        await market.wait_ready()
        engine = engine_for(bus, settings)
        await engine.listen()
        await engine.finish(60, patience_s=PATIENCE_S)
        status = await market.status("replay")
    assert len(engine.events) == engine.total == 37_797 + 30_183
    assert status["report"]["is_clean"] is True
    assert status["report"]["skipped"] == {"depth": 6_885, "depth_snapshot": 2}
