"""An engine says how far it needs its inputs, and goes on where they were pruned up to there."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.engine import live, snapshotting
from services.engine.pruned_front import PrunedTooFar
from services.engine.recovery import CannotRecover
from services.engine.snapshot_store import SnapshotStore
from services.execution.account_journal import AccountJournal, account_end
from tests.support.builders import fill, filled
from tests.support.engine_service import (
    RunningEngine,
    TestMarket,
    engine_settings,
    memory_broker,
    on_memory,
    read_journal,
    running_engine,
    send_command,
    ticks_of,
)
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.config import Settings
from tradebus.core.engine.event import AccountEvent, OwnerChanged, TradeReceived, TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.journal.positions import JournalMark, publish_positions, read_positions
from tradebus.wire import subjects

ACCOUNT = "sim_alpha-paper"
STREAMS = ("AUDIT_demo", f"ACCT_{ACCOUNT}", "CMD_demo")
READER = subjects.engine_reader("demo")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.005)
    monkeypatch.setattr(snapshotting, "PROOF_PERIOD_S", 0.0)


@pytest.fixture
def settings() -> Settings:
    return engine_settings(engine={"snapshot": {"ticks": 5}})


@pytest.fixture
def broker(settings: Settings) -> MemoryBroker:
    return memory_broker(settings)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path, STREAMS[0], "demo", 3)


class Owner:
    """Writes an account's journal, each record a message of its own."""

    def __init__(self, bus: MemoryBus, settings: Settings) -> None:
        self._bus = bus
        self._fingerprint = settings.indexed_instruments().fingerprint()

    async def writes(self, *records: AccountEvent) -> None:
        end = await account_end(self._bus, ACCOUNT)
        journal = AccountJournal(self._bus, ACCOUNT, "execution-1", self._fingerprint, end)
        journal.take_ownership(0)
        for record in [None, *records]:
            if record is not None:
                journal.add(record, 1, 1)
            sealed = journal.next_batch(journal.writer.chain)
            assert sealed is not None
            journal.writer.position = await self._bus.append(
                subjects.acct(ACCOUNT),
                sealed.payload,
                expected_last_sequence=journal.writer.position,
                headers=sealed.headers,
            )
            journal.writer.chain = sealed.chain


def trade(cause: int) -> AccountEvent:
    return filled(fill(f"t{cause}"), cause, 1)


async def marks_of(bus: MemoryBus) -> dict[str, int]:
    positions = await read_positions(bus, READER)
    return {} if positions is None else {mark.stream: mark.position for mark in positions.marks}


async def until_marked(bus: MemoryBus, reached: Callable[[dict[str, int]], bool], market: TestMarket) -> dict[str, int]:
    """Return the marks once they are far enough; the market goes on until then."""
    async with asyncio.timeout(20):
        while True:
            marks = await marks_of(bus)
            if reached(marks):
                return marks
            market.publish(*market.trades(1))
            await asyncio.sleep(0)


def state_of(engine: RunningEngine) -> Any:
    return engine.service._base.engine.state  # type: ignore[attr-defined]


def is_all_durable(engine: RunningEngine) -> bool:
    """Tell whether every tick is on disk: one whose batch is only on its way is lost with a killed engine."""
    base = engine.service._base  # type: ignore[attr-defined]
    return bool(base.journal.durable_sequence == base.engine.sequence - 1)


async def fills_in(bus: MemoryBus, after: int = -1) -> list[str]:
    """Return the fills in the journal's ticks behind one, as far as the stream has them."""
    state = await bus.journal_state(STREAMS[0])
    assert state.first_sequence == 1
    return [
        tick.event.data.trade.id
        for tick in ticks_of(await read_journal(bus, "demo"))
        if tick.sequence > after and isinstance(tick.event, AccountEvent) and isinstance(tick.event.data, TradeReceived)
    ]


async def run_with_inputs(
    settings: Settings, broker: MemoryBroker, bus: MemoryBus, store: SnapshotStore
) -> dict[str, int]:
    """Run an engine that gets fills and commands, and is killed; return its marks."""
    owner = Owner(bus, settings)
    async with running_engine(settings, on_memory(broker), store=store, proves=True, is_stopped=False) as engine:
        market = TestMarket(bus, settings.indexed_instruments())
        # An engine that begins takes what is written from then on.
        market.publish(*market.trades(3))
        await eventually(lambda: engine.status["market_events"] >= 3)
        await owner.writes(*(trade(cause) for cause in range(1, 6)))
        await send_command(bus, "demo", TradingStateUpdate(TradingState.DISABLED, "operator"))
        await send_command(bus, "demo", TradingStateUpdate(TradingState.ENABLED, "operator"), expiry_ns=1)
        await eventually(lambda: engine.status["refused"] == 1)
        await eventually(lambda: state_of(engine).cursors[0].cause == 5)
        return await until_marked(
            bus, lambda marks: marks.get(STREAMS[1]) == 6 and marks.get(STREAMS[2]) == 2 and STREAMS[0] in marks, market
        )


async def test_an_engine_goes_on_where_all_its_streams_were_pruned_to_its_marks(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore
) -> None:
    marks = await run_with_inputs(settings, broker, other_bus, store)
    await Owner(other_bus, settings).writes(trade(6), trade(7))
    fills = await fills_in(other_bus)
    assert fills == ["t1", "t2", "t3", "t4", "t5"]
    for stream in STREAMS:
        broker.prune(stream, marks[stream])
    async with running_engine(settings, on_memory(broker), store=store, proves=True) as engine:
        state = state_of(engine)
        await eventually(lambda: state.cursors[0].cause == 7)
        assert state.trading is TradingState.DISABLED, "no command was applied again"
        await send_command(other_bus, "demo", TradingStateUpdate(TradingState.ENABLED, "operator"))
        await eventually(lambda: state.trading is TradingState.ENABLED)
    assert engine.runtime.failure is None


async def test_no_fill_is_taken_twice_and_none_left_out_however_little_was_pruned(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore
) -> None:
    marks = await run_with_inputs(settings, broker, other_bus, store)
    await Owner(other_bus, settings).writes(trade(6), trade(7))
    for pruned in range(2, marks[STREAMS[1]] + 1, 2):
        broker.prune(STREAMS[1], pruned)
        async with running_engine(settings, on_memory(broker), store=store, is_stopped=False) as engine:
            state = state_of(engine)
            await eventually(lambda state=state: state.cursors[0].cause == 7)  # type: ignore[misc]
            await eventually(partial(is_all_durable, engine))
    assert await fills_in(other_bus) == [f"t{cause}" for cause in range(1, 8)]
    changes = [
        tick.event
        for tick in ticks_of(await read_journal(other_bus, "demo"))
        if isinstance(tick.event, AccountEvent) and isinstance(tick.event.data, OwnerChanged)
    ]
    assert len(changes) >= 2, "each owner's record was told"


async def test_an_engine_without_its_snapshot_begins_at_its_mark(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore, tmp_path: Path
) -> None:
    marks = await run_with_inputs(settings, broker, other_bus, store)
    broker.prune(STREAMS[1], 4)
    broker.prune(STREAMS[2], 2)
    empty = SnapshotStore(tmp_path / "other", STREAMS[0], "demo", 3)
    async with running_engine(settings, on_memory(broker), store=empty) as engine:
        await Owner(other_bus, settings).writes(trade(6))
        await eventually(lambda: state_of(engine).cursors[0].cause == 6)
    assert marks[STREAMS[1]] == 6
    assert await fills_in(other_bus) == [f"t{cause}" for cause in range(1, 7)]


@pytest.mark.parametrize("stream", STREAMS[1:])
async def test_a_stream_that_was_pruned_of_what_nobody_gave_up_is_refused(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore, stream: str, tmp_path: Path
) -> None:
    await run_with_inputs(settings, broker, other_bus, store)
    await publish_positions(other_bus, READER, "test", (JournalMark(stream, 1, "ab" * 16, 2),))
    for _ in range(3):
        await send_command(other_bus, "demo", TradingStateUpdate(TradingState.ENABLED, "operator"))
    broker.prune(stream, 4)
    empty = SnapshotStore(tmp_path / "other", STREAMS[0], "demo", 3)
    reason = rf"{stream}: it begins with message 4, and message \d was expected; .* gives up no more than message 1"
    with pytest.raises(PrunedTooFar, match=reason):
        async with running_engine(settings, on_memory(broker), store=empty, is_stopped=False):
            pass


async def test_an_engine_on_another_volume_begins_with_the_snapshot_that_was_handed_out(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore, tmp_path: Path
) -> None:
    marks = await run_with_inputs(settings, broker, other_bus, store)
    await Owner(other_bus, settings).writes(trade(6))
    for stream in STREAMS:
        broker.prune(stream, marks[stream])
    empty = SnapshotStore(tmp_path / "other", STREAMS[0], "demo", 3)
    async with running_engine(settings, on_memory(broker), store=empty) as engine:
        await eventually(lambda: state_of(engine).cursors[0].cause == 6)
    assert empty.newest() is not None


@pytest.mark.parametrize("damage", [lambda kept: b"something else", lambda kept: kept[:-1], lambda kept: kept[:200]])
async def test_a_copy_that_is_not_what_was_written_is_not_begun_with(
    settings: Settings,
    broker: MemoryBroker,
    other_bus: MemoryBus,
    store: SnapshotStore,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
) -> None:
    marks = await run_with_inputs(settings, broker, other_bus, store)
    broker.prune(STREAMS[0], marks[STREAMS[0]])
    bucket = other_bus.bucket(subjects.SNAPSHOTS)
    entry = await bucket.get(subjects.engine_snapshot("demo"))
    assert entry is not None
    assert entry.value is not None
    await bucket.put(subjects.engine_snapshot("demo"), damage(entry.value))
    empty = SnapshotStore(tmp_path / "other", STREAMS[0], "demo", 3)
    with pytest.raises(CannotRecover, match="there is no snapshot to begin with"):
        async with running_engine(settings, on_memory(broker), store=empty, is_stopped=False):
            pass
