"""The engine on a real server that is killed and frozen: trading goes off, is journaled as off, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.engine.bootstrap import build, crash_latch
from services.engine.crash_latch import CrashLatch
from services.engine.durability import check_durability
from services.engine.started import engine_started
from services.runtime import Runtime
from tests.support.engine_service import RunningEngine, engine_settings, read_journal, send_command, ticks_of
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus
from tradebus.config import ConfigError, Settings
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState

ENGINE = "demo"
OFF, ON = TradingState.DISABLED, TradingState.ENABLED
HEALTH = {"acknowledgement_ms": 300, "ping_ms": 900, "recovered_ms": 200}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return engine_settings(ENGINE, engine={"health": HEALTH}, runtime={"data_dir": tmp_path})


@pytest.fixture
async def server(new_nats_server: ServerFactory, settings: Settings) -> NatsServer:
    made = await asyncio.to_thread(new_nats_server)
    await made.provision((ENGINE,), tuple(settings.account(exchange) for exchange in settings.exchanges))
    return made


class Engines:
    """Starts engines one after another, each as a process of its own would be."""

    def __init__(self, server: NatsServer, settings: Settings) -> None:
        self._server = server
        self._settings = settings
        self.running: list[RunningEngine] = []

    async def start(self) -> RunningEngine:
        runtime = Runtime("engine", f"engine-{len(self.running)}", self._settings)
        bus = await runtime.connect(self._connect)
        latch: CrashLatch = crash_latch(self._settings)
        service = await build(runtime, bus, engine_started(self._settings, "run-1"), [], latch)
        await service.start()
        runtime.health.started()
        self.running.append(RunningEngine(runtime, service, bus))
        return self.running[-1]

    async def crash(self) -> None:
        """End the last one as SIGKILL would: it records nothing any more."""
        await self.running.pop().runtime.close()

    async def stop(self) -> None:
        engine = self.running.pop()
        await engine.stop()
        await engine.runtime.close()

    async def _connect(self, listener: Listener) -> Bus:
        options = self._server.options("engine", ping_interval_s=HEALTH["ping_ms"] / 3_000)
        return await NatsBus.connect(options, listener=listener)


@pytest.fixture
async def engines(server: NatsServer, settings: Settings) -> AsyncIterator[Engines]:
    started = Engines(server, settings)
    yield started
    while started.running:
        await started.crash()


async def updates(bus: Bus) -> Sequence[TradingStateUpdate]:
    """Return every switch of trading that the journal holds."""
    ticks = ticks_of(await read_journal(bus, ENGINE))
    return [tick.event for tick in ticks if isinstance(tick.event, TradingStateUpdate)]


async def wait_trading(engine: RunningEngine, state: str) -> None:
    await eventually(lambda: engine.status["trading"] == state, f"trading is {state}")


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_trading_goes_off_without_the_server_and_comes_back_with_it(
    server: NatsServer, engines: Engines, fault: str
) -> None:
    engine = await engines.start()
    await eventually(lambda: engine.status["durable_sequence"] >= 0)
    if fault == "killed":
        server.kill()
    else:
        await asyncio.to_thread(server.freeze)
    await wait_trading(engine, "disabled")
    assert "off by policy" in engine.reasons["trading"]
    assert engine.status["durable_sequence"] < engine.status["sequence"], "it cannot be in the journal yet"
    if fault == "killed":
        await asyncio.to_thread(server.start)
    else:
        server.thaw()
    await wait_trading(engine, "enabled")
    await eventually(lambda: "trading" not in engine.reasons)
    await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
    off, on = await updates(engine.bus)
    assert (off.state, on.state) == (OFF, ON)
    assert off.origin == "policy: nothing was acknowledged by the journal for 300 ms"


async def test_what_an_operator_switched_off_before_the_outage_stays_off(server: NatsServer, engines: Engines) -> None:
    engine = await engines.start()
    await send_command(engine.bus, ENGINE, TradingStateUpdate(OFF, "operator"))
    await wait_trading(engine, "disabled")
    server.kill()
    await eventually(lambda: "journal" in engine.reasons)
    await asyncio.to_thread(server.start)
    await eventually(lambda: engine.is_ready)
    # Everything that the policy could have said by now is in the journal.
    sequence = engine.status["sequence"] + 10
    await eventually(lambda: engine.status["durable_sequence"] >= sequence)
    assert [(each.state, each.origin) for each in await updates(engine.bus)] == [(OFF, "operator")]


async def test_the_fourth_start_in_a_crash_loop_is_halted_until_an_operator_says_otherwise(engines: Engines) -> None:
    for _ in range(3):
        await engines.start()
        await engines.crash()
    engine = await engines.start()
    assert engine.status["trading"] == "disabled"
    assert "an operator who enables trading ends it" in engine.reasons["crash loop"]
    await engines.stop()
    engine = await engines.start()
    assert engine.status["trading"] == "disabled", "an ordered stop does not end it"
    await send_command(engine.bus, ENGINE, TradingStateUpdate(ON, "operator"))
    await wait_trading(engine, "enabled")
    assert "crash loop" not in engine.reasons
    await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
    told = await updates(engine.bus)
    assert [each.state for each in told] == [OFF, OFF, ON]
    assert told[0].origin.startswith("policy: crash loop: 3 crashes")
    await engines.stop()
    assert (await engines.start()).status["trading"] == "enabled"


@pytest.mark.parametrize(("is_synced", "is_refused"), [(True, False), (False, True)])
async def test_a_server_that_does_not_sync_is_refused_where_that_is_wanted(
    new_nats_server: ServerFactory, *, is_synced: bool, is_refused: bool
) -> None:
    server = await asyncio.to_thread(lambda: new_nats_server(sync_always=is_synced))
    settings = engine_settings(ENGINE, nats={"sync_always": True, "monitoring_url": server.monitoring_url})
    runtime = Runtime("engine", "engine-1", settings)
    if is_refused:
        with pytest.raises(ConfigError, match=r"expected a server that runs with `sync_interval: always`, found"):
            await check_durability(settings, runtime.log)
    else:
        await check_durability(settings, runtime.log)
