"""The engine service on a memory bus: what it records, what it says of itself, and how it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.engine import journal, live
from services.engine.live import LiveEngine
from services.engine.position import ForeignJournal
from services.runtime import journal_writing
from tests.support.builders import ALPHA, market_request
from tests.support.engine_service import (
    RunningEngine,
    TestMarket,
    check_hashes,
    engine_settings,
    memory_broker,
    on_memory,
    read_journal,
    running_engine,
    send_command,
    ticks_of,
)
from tests.support.scenario import Scripted, same_data
from tests.support.waiting import eventually
from tradebus.bus.errors import WrongLastSequence
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.config import Settings
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import Command, SendOpenRequests
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    EngineStarted,
    OwnerChanged,
    Shutdown,
    TimerFired,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.strategy.interface import Decision
from tradebus.journal import writer as writer_module
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatchHead, audit_batch_join, tick_frame, tick_to_bytes
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition, heartbeat_to_bytes


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.005)
    monkeypatch.setattr(journal_writing, "LOOK_PERIOD_S", 0.005)
    monkeypatch.setattr(journal_writing, "STALLED_S", 0.05)
    monkeypatch.setattr(writer_module, "RETRY_FIRST_S", 0.002)
    monkeypatch.setattr(writer_module, "RETRY_MAX_S", 0.01)


@pytest.fixture
def settings() -> Settings:
    return engine_settings()


@pytest.fixture
def broker(settings: Settings) -> MemoryBroker:
    return memory_broker(settings)


@pytest.fixture
async def engine(settings: Settings, broker: MemoryBroker) -> AsyncIterator[RunningEngine]:
    async with running_engine(settings, on_memory(broker)) as engine:
        yield engine


def market_of(engine: RunningEngine, bus: MemoryBus) -> TestMarket:
    return TestMarket(bus, engine.runtime.settings.indexed_instruments())


async def journal_of(bus: MemoryBus, engine: str = "demo") -> list[AuditTick]:
    return ticks_of(await read_journal(bus, engine))


def beat_of(*owned: tuple[str, int], instance: str = "execution-1") -> tuple[str, bytes]:
    positions = tuple(StreamPosition(subjects.acct(account), epoch, 1) for account, epoch in owned)
    beat = Heartbeat("execution", instance, "demo", 1, "ready", positions)
    return subjects.hb("execution", instance), heartbeat_to_bytes(beat)


# ------------------------------------------------------------------------------ running


async def test_everything_is_in_the_journal_from_the_start_record_to_the_shutdown(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
        market = market_of(engine, other_bus)
        for _ in range(20):
            market.publish(*market.trades(30), market.book())
        await eventually(lambda: engine.status["market_events"] == market.sent)
        await engine.stop()
        status = engine.status
    batches = await read_journal(other_bus, "demo")
    ticks = ticks_of(batches)
    assert isinstance(ticks[0].event, EngineStarted)
    assert isinstance(ticks[-1].event, Shutdown)
    assert [tick.sequence for tick in ticks] == list(range(status["sequence"] + 1))
    assert sum(isinstance(tick.event, MarketEvent) for tick in ticks) == market.sent
    replica = Replica(load_data)
    assert check_hashes(batches, replica) == len(batches)
    assert status["hash"]["core"] == replica.hash().core
    assert (status["durable_sequence"], status["gaps"], status["refused"]) == (status["sequence"], 0, 0)
    assert engine.runtime.failure is None


async def test_time_passes_in_a_quiet_market(engine: RunningEngine, other_bus: MemoryBus) -> None:
    await eventually(lambda: engine.status["durable_sequence"] >= 2)
    ticks = await journal_of(other_bus)
    assert {type(tick.event) for tick in ticks[1:]} == {ClockAdvanced}


async def test_timers_fire_without_any_event(settings: Settings, broker: MemoryBroker, other_bus: MemoryBus) -> None:
    fired: list[TimerFired] = []

    def decide(_state: object, event: object) -> Decision | None:
        if isinstance(event, TimerFired):
            fired.append(event)
            return None
        return Decision((), (), (("t", 1),)) if isinstance(event, MarketEvent) else None

    strategy = Scripted(decide, strategy_id="s")
    with_strategy = engine_settings(engine={"strategies": [{"id": "s", "class": "tests.none:Scripted"}]})
    async with running_engine(with_strategy, on_memory(broker), [strategy]) as engine:
        market = market_of(engine, other_bus)
        market.publish(market.trade())
        await eventually(lambda: fired)
        await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
        batches = await read_journal(other_bus, "demo")
        assert check_hashes(batches, Replica(same_data([strategy]))) == len(batches)


async def test_an_accounts_owner_is_told_of_when_heard_and_when_silent(
    engine: RunningEngine, other_bus: MemoryBus
) -> None:
    other_bus.publish(*beat_of(("sim_alpha-paper", 3)))
    other_bus.publish(subjects.hb("execution", "bad"), b"\xff")

    async def events() -> list[EngineEvent]:
        return [tick.event for tick in await journal_of(other_bus) if not isinstance(tick.event, ClockAdvanced)][1:]

    await eventually(lambda: engine.status["dead_letters"] == 1)
    # As if three seconds had passed, a little at a time.
    assert isinstance(engine.service, LiveEngine)
    engine.service._clock._now_ns += 4_000_000_000
    await eventually(lambda: engine.status["health"] == "reconnecting")
    while len(found := await events()) < 2:
        await asyncio.sleep(0)
    assert found == [
        AccountEvent(ALPHA, 0, 0, OwnerChanged("execution-1", 3)),
        AccountReconnecting(ALPHA, "nothing heard of execution-1"),
    ]


async def test_commands_reach_the_engine(engine: RunningEngine, other_bus: MemoryBus) -> None:
    await send_command(other_bus, "demo", TradingStateUpdate(TradingState.DISABLED, "operator"))
    await eventually(lambda: engine.status["trading"] == "disabled")
    await send_command(other_bus, "demo", Shutdown())
    await asyncio.wait_for(engine.runtime.stopping.wait(), 10)
    assert engine.runtime.failure is None
    await engine.stop()
    ticks = await journal_of(other_bus)
    assert [type(tick.event) for tick in ticks].count(Shutdown) == 1


async def test_bad_messages_on_every_subject_leave_it_working(engine: RunningEngine, other_bus: MemoryBus) -> None:
    market = market_of(engine, other_bus)
    other_bus.publish(market.subject, b"\xff\x00")
    other_bus.publish(subjects.hb("market", "m"), b"\xff\x00")
    other_bus.publish(subjects.hb("execution", "e"), b"\xff\x00")
    await other_bus.append(subjects.cmd("demo"), b"\xff\x00")
    await eventually(lambda: engine.status["dead_letters"] == 4)
    market.publish(market.trade())
    await eventually(lambda: engine.status["market_events"] == 1)
    while (await other_bus.journal_state("DLQ")).last_sequence < 4:
        await asyncio.sleep(0)
    letters = [await other_bus.message("DLQ", number) for number in range(1, 5)]
    assert {letter.subject for letter in letters if letter is not None} == {"dlq.engine"}
    assert engine.is_ready


# ------------------------------------------------------------------------------ outages


async def test_ticks_wait_for_the_broker_and_health_says_so(
    engine: RunningEngine, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    market = market_of(engine, other_bus)
    market.publish(*market.trades(10))
    await eventually(lambda: engine.status["market_events"] == 10)
    assert engine.is_ready
    broker.start_outage()
    await eventually(lambda: "journal" in engine.reasons and "bus" in engine.reasons)
    assert engine.reasons["journal"].startswith("the journal takes nothing: ")
    assert engine.status["sequence"] > engine.status["durable_sequence"]
    assert engine.service.positions()[0].sequence == engine.status["durable_sequence"]
    broker.end_outage()
    await eventually(lambda: engine.is_ready)
    market.publish(*market.trades(10))
    await eventually(lambda: engine.status["market_events"] == 20)
    await engine.stop()
    batches = await read_journal(other_bus, "demo")
    assert [tick.sequence for tick in ticks_of(batches)] == list(range(engine.status["sequence"] + 1))
    assert check_hashes(batches, Replica(load_data)) == len(batches)


async def test_feeds_and_owners_fall_silent_in_an_outage(
    engine: RunningEngine, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    market = market_of(engine, other_bus)
    market.publish(market.trade())
    other_bus.publish(*beat_of(("sim_alpha-paper", 1), ("sim_beta-paper", 1)))
    await eventually(lambda: engine.status["market_events"] == 1)
    broker.start_outage()
    assert isinstance(engine.service, LiveEngine)
    engine.service._clock._now_ns += 4_000_000_000
    await eventually(lambda: engine.status["sequence"] > 5)
    broker.end_outage()
    await eventually(lambda: engine.is_ready)
    await engine.stop()
    ticks = await journal_of(other_bus)
    lost = [type(tick.event) for tick in ticks if isinstance(tick.event, MarketReconnecting | AccountReconnecting)]
    assert lost == [MarketReconnecting, AccountReconnecting, AccountReconnecting]


async def test_a_stop_during_an_outage_that_ends_writes_everything(
    engine: RunningEngine, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    market = market_of(engine, other_bus)
    market.publish(*market.trades(10))
    await eventually(lambda: engine.status["market_events"] == 10)
    broker.start_outage()
    stopping = asyncio.create_task(engine.stop())
    await eventually(lambda: "journal" in engine.reasons)
    assert not stopping.done()
    broker.end_outage()
    await asyncio.wait_for(stopping, 10)
    ticks = await journal_of(other_bus)
    assert isinstance(ticks[-1].event, Shutdown)
    assert engine.status["durable_sequence"] == ticks[-1].sequence
    assert engine.runtime.failure is None


async def test_a_stop_during_an_outage_ends_in_time_and_says_what_is_lost(
    broker: MemoryBroker, other_bus: MemoryBus, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = engine_settings(runtime={"stop_timeout_ms": 200})
    async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
        market = market_of(engine, other_bus)
        market.publish(*market.trades(10))
        await eventually(lambda: engine.status["market_events"] == 10)
        broker.start_outage()
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(engine.stop(), 10)
        assert asyncio.get_running_loop().time() - began < 2
        assert engine.runtime.failure is not None
        assert engine.runtime.failure.startswith("the journal could not be written within 0.15 s: ")
        assert "not connected" in engine.runtime.failure
        broker.end_outage()
    ticks = await journal_of(other_bus)
    assert not isinstance(ticks[-1].event, Shutdown)


# ------------------------------------------------------------------------------ failures


async def test_another_writer_ends_it_soon_with_the_reason(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
        await eventually(lambda: engine.status["durable_sequence"] >= 0)
        last = await other_bus.last_message("AUDIT_demo")
        assert last is not None
        assert last.headers is not None
        foreign = foreign_batch(last.headers["Tb-Chain"])
        began = asyncio.get_running_loop().time()
        while True:
            try:
                end = (await other_bus.journal_state("AUDIT_demo")).last_sequence
                await other_bus.append(
                    subjects.audit("demo"), foreign.payload, expected_last_sequence=end, headers=foreign.headers
                )
                break
            except WrongLastSequence:
                continue  # the engine was quicker; again
        await asyncio.wait_for(engine.runtime.stopping.wait(), 5)
        # It takes a tenth of a second, the time to the next append, where the machine does nothing else.
        assert asyncio.get_running_loop().time() - began < 4
        assert engine.runtime.failure is not None
        assert "another writer was here" in engine.runtime.failure
        before = engine.status["sequence"]
        await asyncio.wait_for(engine.service.stop(), 5)
        assert engine.status["sequence"] == before, "no Shutdown of a run that is not ours any more"
    last = await other_bus.last_message("AUDIT_demo")
    assert last is not None
    assert last.payload == foreign.payload, "nothing was written behind the other writer"


def foreign_batch(chain: str) -> SealedBatch:
    tick = AuditTick(1_000_000, 1, ClockAdvanced(), (), ())
    head = AuditBatchHead("demo", 1, tick.sequence, tick.sequence, bytes.fromhex(chain), "", 0)
    return sealed(audit_batch_join(head, [tick_frame(tick_to_bytes(tick))]), tick.sequence, tick.sequence)


async def test_a_tick_that_no_batch_can_hold_ends_it_and_leaves_a_journal_without_a_hole(
    broker: MemoryBroker, other_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ITEM_BYTES_MAX", 5_000)

    def decide(_state: object, event: object) -> Decision | None:
        if isinstance(event, MarketEvent) and event.sequence == 4:
            return Decision((), (), (), (), (("note", b"x" * 5_000),))
        return None

    strategy = Scripted(decide, strategy_id="s")
    settings = engine_settings(engine={"strategies": [{"id": "s", "class": "tests.none:Scripted"}]})
    async with running_engine(settings, on_memory(broker), [strategy], is_stopped=False) as engine:
        market = market_of(engine, other_bus)
        market.publish(*market.trades(8))
        await asyncio.wait_for(engine.runtime.stopping.wait(), 5)
        assert engine.runtime.failure is not None
        assert "ItemTooLarge" in engine.runtime.failure
        await engine.service.stop()
    batches = await read_journal(other_bus, "demo")
    numbers = [tick.event.sequence for tick in ticks_of(batches) if isinstance(tick.event, MarketEvent)]
    assert numbers == [1, 2, 3]
    check_hashes(batches, Replica(same_data([strategy])))


async def test_an_error_that_it_cannot_go_on_after_ends_it_with_the_error(
    engine: RunningEngine, other_bus: MemoryBus
) -> None:
    assert isinstance(engine.service, LiveEngine)
    engine.service._stepper.step(AccountLinkChanged(market_request().key.exchange, AccountLink.TERMINATED))
    await send_command(other_bus, "demo", Command("1", "operator", SendOpenRequests((market_request(""),))))
    await asyncio.wait_for(engine.runtime.stopping.wait(), 5)
    assert engine.runtime.failure is not None
    assert "it cannot go on after" in engine.runtime.failure
    await engine.stop()
    ticks = await journal_of(other_bus)
    assert ticks[-1].errors, "the tick that ended it is the last one"


async def test_the_journal_of_another_mode_is_refused(settings: Settings, broker: MemoryBroker) -> None:
    async with running_engine(settings, on_memory(broker)):
        pass
    paper = engine_settings("demo", mode="paper", exchanges=[ExchangeId.BINANCE_SPOT])
    with pytest.raises(ForeignJournal, match="in mode paper, found that of 'demo' in mode demo"):
        async with running_engine(paper, on_memory(broker)):
            pass
