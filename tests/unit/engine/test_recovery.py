"""An engine that is started again goes on where its journal ends, or says why it cannot."""

from collections.abc import Sequence

import pytest

from services.engine import live
from services.engine import recovery as recovery_module
from services.engine import started as started_module
from services.engine.recovery import CannotRecover, Recovery, StateDiffers
from tests.support.audit_run import EngineRun, Hashed, append_all, batches_of, messages_of
from tests.support.builders import BTC, market_request
from tests.support.engine_service import (
    ALPHA,
    BETA,
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
from tests.support.market_bus import KeptLog
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage
from tradebus.bus.topology import topology
from tradebus.config import Settings
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.command import Command, SendOpenRequests
from tradebus.core.engine.event import EngineStarted, Shutdown, TradingStateUpdate
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
from tradebus.core.engine.state.trading import TradingState
from tradebus.journal.verify import JournalDamaged
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.005)


@pytest.fixture(scope="module")
def run() -> EngineRun:
    """A finished run of the engine `demo`. Tests only read it."""
    return EngineRun(events=200)


@pytest.fixture
def settings() -> Settings:
    return engine_settings()


@pytest.fixture
def broker(settings: Settings) -> MemoryBroker:
    return memory_broker(settings)


async def run_once(
    settings: Settings, broker: MemoryBroker, bus: MemoryBus, *, is_stopped: bool = True, epoch: int = 1
) -> dict[str, object]:
    """Run an engine for five market events; return its last status. Without a stop it is left as if it were killed."""
    async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
        market = TestMarket(bus, settings.indexed_instruments(), publisher=f"market-{epoch}", epoch=epoch)
        market.publish(*market.trades(5))
        await eventually(lambda: engine.status["market_events"] == 5)
        if is_stopped:
            await engine.stop()
        else:
            await eventually(lambda: engine.status["durable_sequence"] >= 5)
        return engine.status


@pytest.mark.parametrize("is_stopped", [True, False])
async def test_a_later_run_goes_on_in_the_journal(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, is_stopped: bool
) -> None:
    for run in range(3):
        await run_once(settings, broker, other_bus, is_stopped=is_stopped, epoch=run + 1)
    batches = await read_journal(other_bus, "demo")
    ticks = ticks_of(batches)
    assert check_hashes(batches, Replica(load_data)) == len(batches)
    assert [tick.sequence for tick in ticks] == list(range(len(ticks)))
    assert [type(tick.event) for tick in ticks if isinstance(tick.event, EngineStarted | EngineResumed)] == [
        EngineStarted,
        EngineResumed,
        EngineResumed,
    ]
    assert sum(isinstance(tick.event, Shutdown) for tick in ticks) == (3 if is_stopped else 0)
    first_messages = {
        number
        for number, batch in enumerate(batches, 1)
        if isinstance(batch.ticks[0].event, EngineStarted | EngineResumed)
    }
    epochs = {batch.head.engine_epoch for batch in batches}
    assert epochs == first_messages, "an epoch is the number of the message that its run begins with"


async def test_orders_and_the_trading_state_are_those_of_before(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
        await send_command(other_bus, "demo", Command("c1", "operator", SendOpenRequests((market_request(),))))
        await send_command(other_bus, "demo", TradingStateUpdate(TradingState.DISABLED, "operator"))
        await eventually(lambda: engine.status["trading"] == "disabled")
        await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
    replica = Replica(load_data)
    before = ticks_of(await read_journal(other_bus, "demo"))
    for tick in before:
        replica.apply(tick)
    orders = dict(replica.state.instruments[BTC].orders)
    assert len(orders) == 1
    async with running_engine(settings, on_memory(broker)) as engine:
        assert engine.status["trading"] == "disabled", "whatever is configured for a fresh journal"
        assert engine.status["sequence"] >= len(before)
    for tick in ticks_of(await read_journal(other_bus, "demo"))[len(before) :]:
        replica.apply(tick)
    assert replica.state.instruments[BTC].orders == orders


async def test_commands_sent_while_no_engine_ran_are_applied_once(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    await run_once(settings, broker, other_bus, is_stopped=False)
    action = SendOpenRequests((market_request(),))
    for command_id in ("first", "again", "again"):
        await send_command(other_bus, "demo", Command(command_id, "operator", action))
    for _ in range(3):
        async with running_engine(settings, on_memory(broker), is_stopped=False) as engine:
            await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
            await send_command(other_bus, "demo", Command("again", "operator", action))
            await send_command(other_bus, "demo", TradingStateUpdate(TradingState.ENABLED, "operator"))
            before = engine.status["sequence"]
            await eventually(lambda: engine.status["durable_sequence"] > before)  # noqa: B023 - of this engine
    ticks = ticks_of(await read_journal(other_bus, "demo"))
    commands = [tick.event for tick in ticks if isinstance(tick.event, Command)]
    assert [(command.id, command.position) for command in commands] == [("first", 1), ("again", 2)]
    assert all(tick.event.position for tick in ticks if isinstance(tick.event, TradingStateUpdate))


async def test_more_instruments_are_taken_up_and_fewer_refused(broker: MemoryBroker, other_bus: MemoryBus) -> None:
    small, large = engine_settings(exchanges=[ALPHA]), engine_settings(exchanges=[ALPHA, BETA])
    broker = other_bus._broker
    broker.provision(topology(("demo",), [small.account(ALPHA), large.account(BETA)]))
    for settings in (small, large):
        async with running_engine(settings, on_memory(broker)):
            pass
    batches = await read_journal(other_bus, "demo")
    replica = Replica(load_data)
    assert check_hashes(batches, replica) == len(batches)
    assert len(replica.state.instruments) == len(large.indexed_instruments().instruments)
    with pytest.raises(CannotRecover, match="expected 'sim_beta' as in the journal, found none; instruments may only"):
        async with running_engine(small, on_memory(broker)):
            pass


async def test_a_damaged_journal_is_named(settings: Settings, broker: MemoryBroker, other_bus: MemoryBus) -> None:
    run = EngineRun(events=40)
    batches = run.batches()
    await append_all(other_bus, "demo", batches[:2])
    await other_bus.append(subjects.audit("demo"), batches[3].payload, headers=batches[3].headers)
    with pytest.raises(JournalDamaged, match="AUDIT_demo, message 3"):
        async with running_engine(settings, on_memory(broker)):
            pass


# ------------------------------------------------------------------------------ hashes


def tampered(run: EngineRun) -> list[JournalMessage]:
    """Return a run's journal in which one hash is not that of the state."""
    hashed = [
        Hashed(each.tick, StateHash(each.hash.version, "00" * 16, each.hash.user) if number == 31 else each.hash)
        if each.hash is not None
        else each
        for number, each in enumerate(run.hashed)
    ]
    assert any(each.hash is not None and each.hash.core == "00" * 16 for each in hashed)
    return messages_of(batches_of(hashed, run.engine.started))


def test_a_sound_journal_gives_the_engines_state(run: EngineRun, log: KeptLog) -> None:
    recovery = Recovery("AUDIT_demo", run.engine.started.code, log.bound)
    for message in messages_of(run.batches()):
        recovery.take(message)
    recovered = recovery.finish()
    assert recovered.state == run.engine.state
    assert hash_state(recovered.state) == run.engine.hash()
    assert (recovered.end.sequence, recovered.time_ns) == (run.engine.sequence - 1, run.engine.time_ns)
    assert recovery.hashes > 5
    assert recovered.code_change is None


def test_another_state_than_this_code_recorded_is_refused(run: EngineRun, log: KeptLog) -> None:
    recovery = Recovery("AUDIT_demo", run.engine.started.code, log.bound)
    with pytest.raises(StateDiffers, match=r"message \d+: expected the state 0000.* after tick 31, .*verify"):
        feed(recovery, tampered(run))


def test_another_state_than_other_code_recorded_is_to_be_journaled(run: EngineRun, log: KeptLog) -> None:
    recovery = Recovery("AUDIT_demo", "newer", log.bound)
    feed(recovery, tampered(run))
    assert recovery.finish().code_change == CodeChanged(run.engine.started.code, "newer", state_differs=True)


def test_other_code_that_gives_the_same_state_is_journaled_too(run: EngineRun, log: KeptLog) -> None:
    recovery = Recovery("AUDIT_demo", "newer", log.bound)
    feed(recovery, messages_of(run.batches()))
    assert recovery.finish().code_change == CodeChanged(run.engine.started.code, "newer", state_differs=False)


def test_a_journal_that_lost_its_beginning_is_named(run: EngineRun, log: KeptLog) -> None:
    recovery = Recovery("AUDIT_demo", "c", log.bound)
    with pytest.raises(JournalDamaged, match="AUDIT_demo, message 2: expected message 1"):
        feed(recovery, messages_of(run.batches())[1:])


def feed(recovery: Recovery, messages: Sequence[JournalMessage]) -> None:
    for message in messages:
        recovery.take(message)


async def test_trading_is_off_where_other_code_gives_another_state(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_once(settings, broker, other_bus)
    monkeypatch.setattr(started_module, "code_version", lambda _folder: "newer")
    monkeypatch.setattr(recovery_module, "_agrees", lambda _head, _found: False)
    async with running_engine(settings, on_memory(broker)) as engine:
        assert engine.status["trading"] == "disabled"
        await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
    ticks = ticks_of(await read_journal(other_bus, "demo"))
    changes = [tick.event for tick in ticks if isinstance(tick.event, CodeChanged)]
    assert [(change.after, change.state_differs) for change in changes] == [("newer", True)]
