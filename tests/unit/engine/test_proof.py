"""A snapshot is believed when what was recorded behind it agrees, and never begun with when it does not."""

import asyncio
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

from services.engine import live, prover, snapshotting
from services.engine.code import code_version
from services.engine.proof import SnapshotProof, SnapshotRefuted, SnapshotUnproven
from services.engine.prover import ProcessProver
from services.engine.snapshot_store import SnapshotNotes, SnapshotStore
from tests.support.engine_service import (
    TestMarket,
    engine_settings,
    memory_broker,
    on_memory,
    read_journal,
    running_engine,
    ticks_of,
)
from tests.support.waiting import eventually
from tradebus.bus.interface import JournalReader
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalHandler, JournalMessage
from tradebus.core.engine.state.trading import TradingState
from tradebus.journal.archive.checkpoints import CheckpointHead
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes

STREAM = "AUDIT_demo"
SETTINGS = engine_settings(engine={"snapshot": {"ticks": 3, "kept": 100}})
CODE = code_version(Path("strategies"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a test need not sit out."""
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.005)
    monkeypatch.setattr(snapshotting, "PROOF_PERIOD_S", 0.0)


@pytest.fixture
def broker() -> MemoryBroker:
    return memory_broker(SETTINGS)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path, STREAM, "demo", 100)


@pytest.fixture
async def heads(broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore) -> list[CheckpointHead]:
    """Where the snapshots of a run stand that has ended, the oldest first."""
    async with running_engine(SETTINGS, on_memory(broker), store=store) as engine:
        market = TestMarket(other_bus, SETTINGS.indexed_instruments())
        for _ in range(3):
            taken = engine.status["snapshot_sequence"]
            market.publish(*market.trades(5))
            await eventually(lambda taken=taken: engine.status["snapshot_sequence"] != taken)  # type: ignore[misc]
    found = [stored.head for stored in store.readable(pytest.fail)]
    assert len(found) >= 3
    return found[::-1]


def tampered(store: SnapshotStore, head: CheckpointHead) -> None:
    """Replace a snapshot by one that is sound in itself, of a state in which trading is off."""
    stored = store.read(head.sequence)
    state, started = stored.snapshot.state, stored.snapshot.started
    assert state.trading is TradingState.ENABLED
    state.trading = TradingState.DISABLED
    snapshot = snapshot_of(
        started, state, sequence=head.sequence, time_ns=head.time_ns, epoch=head.engine_epoch, config_fingerprint=""
    )
    store.write(head, snapshot_to_bytes(snapshot), SnapshotNotes(0, ""))


async def test_a_process_proves_a_snapshot_and_refutes_one_of_another_state(
    heads: list[CheckpointHead], other_bus: MemoryBus, store: SnapshotStore, tmp_path: Path
) -> None:
    proving = ProcessProver(other_bus, tmp_path, "strategies", CODE)
    tampered(store, heads[1])
    proof, refuted, other_code = await asyncio.gather(
        proving.prove(heads[0]),
        proving.prove(heads[1]),
        ProcessProver(other_bus, tmp_path, "strategies", "newer").prove(heads[0]),
        return_exceptions=True,
    )
    batches = await read_journal(other_bus, "demo")
    following = next(batch for batch in batches if batch.head.first_sequence > heads[0].sequence)
    assert not isinstance(proof, BaseException), proof
    assert (proof.sequence, proof.ticks) == (following.head.last_sequence, len(following.ticks))
    assert isinstance(refuted, SnapshotRefuted)
    assert "expected the state" in str(refuted)
    assert isinstance(other_code, SnapshotUnproven)
    assert "expected the code 'newer'" in str(other_code)


async def test_a_snapshot_that_was_dropped_meanwhile_is_not_refuted(
    heads: list[CheckpointHead], store: SnapshotStore
) -> None:
    store.path(heads[0].sequence).unlink()
    with pytest.raises(SnapshotUnproven, match=f"the snapshot at {heads[0].sequence} is not kept any more"):
        SnapshotProof(store, STREAM, heads[0].sequence, CODE, structlog.stdlib.get_logger("test"))


async def test_a_proof_that_is_given_up_leaves_no_process(
    heads: list[CheckpointHead], other_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: str, **options: Any) -> Process:
        begun.append(await start(*arguments, **options))
        return begun[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    monkeypatch.setattr(prover, "PROOF_TIMEOUT_S", 0.3)
    # Nothing is recorded behind the last one.
    with pytest.raises(SnapshotUnproven, match=r"not proven within 0\.3 s"):
        await ProcessProver(other_bus, tmp_path, "strategies", CODE).prove(heads[-1])
    assert [process.returncode for process in begun] == [-9]


class LateReader(JournalReader):
    """Hands over one more message when it is stopped, as a reader does that was in the middle of it."""

    failure = None
    stream, next_sequence, end_sequence, is_caught_up = STREAM, 1, 1, False

    def __init__(self, handler: JournalHandler) -> None:
        self._handler = handler

    async def wait_caught_up(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        outcome = self._handler(JournalMessage(STREAM, "", 2, b"more", {}, 0, 0))
        if outcome is not None:
            await outcome


def test_what_comes_when_the_process_has_answered_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: MemoryBroker
) -> None:
    answer = 'print(\'{"unproven": "enough"}\')'
    monkeypatch.setattr(prover, "arguments", lambda _task: [sys.executable, "-c", answer])
    head = CheckpointHead(STREAM, 1, "", 1, 1, 1, "demo", 1)

    async def prove() -> None:
        bus = MemoryBus(broker)

        async def consume(_stream: str, _first: int, handler: JournalHandler) -> JournalReader:
            return LateReader(handler)

        monkeypatch.setattr(bus, "consume", consume)
        with pytest.raises(SnapshotUnproven, match="enough"):
            await ProcessProver(bus, tmp_path, "strategies", CODE).prove(head)
        await bus.close(0.1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(prove())


async def test_an_engine_puts_a_refuted_snapshot_aside_and_says_so(
    broker: MemoryBroker, other_bus: MemoryBus, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.write

    def wrong(head: CheckpointHead, payload: bytes, notes: SnapshotNotes) -> Any:
        stored = write(head, payload, notes)
        if len(list(store.readable(pytest.fail))) == 2:
            tampered_head.append(head)
            monkeypatch.undo()
            monkeypatch.setattr(snapshotting, "PROOF_PERIOD_S", 0.0)
            tampered(store, head)
        return stored

    tampered_head: list[CheckpointHead] = []
    monkeypatch.setattr(type(store), "write", lambda _store, *arguments: wrong(*arguments))
    async with running_engine(SETTINGS, on_memory(broker), store=store, proves=True) as engine:
        market = TestMarket(other_bus, SETTINGS.indexed_instruments())

        async def until_refuted() -> None:
            while "snapshot refuted" not in engine.reasons:
                market.publish(*market.trades(1))
                await asyncio.sleep(0)

        await asyncio.wait_for(until_refuted(), 20)
        assert f"the snapshot at {tampered_head[0].sequence} does not lead" in engine.reasons["snapshot refuted"]
        assert "put aside" in engine.reasons["snapshot refuted"]
        assert tampered_head[0].sequence not in [each.head.sequence for each in store.readable(pytest.fail)]
        market.publish(*market.trades(10))
        await eventually(lambda: "snapshot refuted" not in engine.reasons, limit_s=20)
    assert len(ticks_of(await read_journal(other_bus, "demo"))) > 0
