"""The engine service on a real server that is flooded, killed, kept away and shared with another writer."""

import asyncio

import pytest

from services.runtime import journal_writing
from tests.support.bus_clients import Connect as ConnectTo
from tests.support.engine_service import (
    Connect,
    RunningEngine,
    TestMarket,
    check_hashes,
    engine_settings,
    read_journal,
    running_engine,
    ticks_of,
)
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus
from tradebus.config import Settings
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.event import Shutdown
from tradebus.core.market.event import MarketEvent, MarketGap
from tradebus.strategies.loading import load_data

ENGINE = "demo"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health tells of a journal that stands still a little sooner."""
    monkeypatch.setattr(journal_writing, "STALLED_S", 0.2)


@pytest.fixture
def settings() -> Settings:
    return engine_settings(ENGINE, engine={"hash_every": {"ticks": 500, "seconds": 1}})


@pytest.fixture
async def server(new_nats_server: ServerFactory, settings: Settings) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision((ENGINE,), tuple(settings.account(exchange) for exchange in settings.exchanges))
    return made


def on_nats(server: NatsServer) -> Connect:
    async def connect(listener: Listener) -> Bus:
        return await NatsBus.connect(server.options("engine"), listener=listener)

    return connect


class Load:
    """Publishes trades and books without a pause until stopped."""

    def __init__(self, market: TestMarket) -> None:
        self.market = market
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.market.publish(*self.market.trades(8), self.market.book(), self.market.book(1))
            if self.market.sequence % 1_000 == 0:
                self.market.beat()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def check_journal(bus: Bus, engine: RunningEngine) -> int:
    """Check that every tick the engine made is in its journal, whole and rightly hashed; return the market events."""
    batches = await read_journal(bus, ENGINE)
    ticks = ticks_of(batches)
    assert [tick.sequence for tick in ticks] == list(range(engine.status["sequence"] + 1))
    assert check_hashes(batches, Replica(load_data)) > 0
    events = [tick.event for tick in ticks]
    found = sum(isinstance(event, MarketEvent) for event in events)
    assert found == engine.status["market_events"]
    return found


async def test_a_server_killed_under_load_costs_nothing_of_the_journal(
    server: NatsServer, settings: Settings, connect: ConnectTo
) -> None:
    other = await connect(server, "market")
    async with running_engine(settings, on_nats(server), is_stopped=False) as engine:
        load = Load(TestMarket(other, settings.indexed_instruments()))
        for _ in range(3):
            before = engine.status["market_events"]
            await eventually(lambda before=before: engine.status["market_events"] > before + 500)  # type: ignore[misc]
            server.kill()
            await eventually(lambda: {"bus", "journal"} <= engine.reasons.keys())
            assert engine.status["durable_sequence"] < engine.status["sequence"]
            await asyncio.to_thread(server.start)
            await eventually(lambda: engine.is_ready and other.is_connected, "ready again")
        after = engine.status["market_events"]
        await eventually(lambda: engine.status["market_events"] > after + 500)
        await load.stop()
        await engine.stop()
        assert engine.runtime.failure is None
        assert await check_journal(other, engine) > 2_000
        ticks = ticks_of(await read_journal(other, ENGINE))
        assert isinstance(ticks[-1].event, Shutdown)


async def test_a_stop_while_the_server_is_away_ends_in_time_and_says_so(server: NatsServer, connect: ConnectTo) -> None:
    settings = engine_settings(ENGINE, runtime={"stop_timeout_ms": 800})
    other = await connect(server, "market")
    async with running_engine(settings, on_nats(server), is_stopped=False) as engine:
        market = TestMarket(other, settings.indexed_instruments())
        market.publish(*market.trades(20))
        await eventually(lambda: engine.status["market_events"] == 20)
        server.kill()
        began = asyncio.get_running_loop().time()
        await engine.stop()
        assert asyncio.get_running_loop().time() - began < 3
        assert engine.runtime.failure is not None
        assert engine.runtime.failure.startswith("the journal could not be written within 0.6 s")


async def test_a_flood_with_heartbeats_is_processed_or_told_as_lost(
    server: NatsServer, settings: Settings, connect: ConnectTo
) -> None:
    """More than can be taken at once: whatever is not processed is a gap or a conflated book, and it goes on after."""
    other = await connect(server, "market")
    async with running_engine(settings, on_nats(server)) as engine:
        market = TestMarket(other, settings.indexed_instruments())
        for _ in range(600):
            market.publish(*market.trades(40), *(market.book() for _ in range(24)))
            market.beat()
        await eventually(lambda: accounted_for(engine) == market.sent, f"{market.sent}", limit_s=30)
        assert engine.status["market_events"] > 0
        market.publish(market.trade())
        await eventually(lambda: accounted_for(engine) == market.sent)
        await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
        batches = await read_journal(other, ENGINE)
        gaps = [tick.event for tick in ticks_of(batches) if isinstance(tick.event, MarketGap)]
        # A lost tail is told by the heartbeat, as the loss of the feed.
        assert sum(gap.last_missing - gap.first_missing + 1 for gap in gaps) <= engine.status["lost"]


def accounted_for(engine: RunningEngine) -> int:
    status = engine.status
    return int(status["market_events"] + status["conflated"] + status["lost"])


async def test_another_engine_on_the_journal_ends_the_first_within_a_second(
    server: NatsServer, settings: Settings, connect: ConnectTo
) -> None:
    other = await connect(server, "operator")
    async with running_engine(settings, on_nats(server), is_stopped=False) as first:
        await eventually(lambda: first.status["durable_sequence"] >= 0)
        async with running_engine(settings, on_nats(server)) as second:
            # Whoever appends first behind the common end goes on, the other one is fenced.
            runtimes = [first.runtime, second.runtime]
            began = asyncio.get_running_loop().time()
            await eventually(lambda: any(runtime.stopping.is_set() for runtime in runtimes))
            assert asyncio.get_running_loop().time() - began < 1
            (loser,) = [runtime for runtime in runtimes if runtime.stopping.is_set()]
            assert loser.failure is not None
            assert "another writer was here" in loser.failure
        await asyncio.wait_for(first.service.stop(), 10)
    batches = await read_journal(other, ENGINE)
    assert check_hashes(batches, Replica(load_data)) > 0
