"""The state at any tick of the past is the engine's at that tick."""

from pathlib import Path

import pytest

from tests.support.archives import append
from tests.support.audit_run import EngineRun, messages_of
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.journal.archive.checkpoints import CheckpointHead, Checkpoints
from tradebus.journal.archive.damage import ArchiveDamaged, Damage
from tradebus.journal.archive.past import NotArchived, state_at
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.verify import AuditVerifier
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes


@pytest.fixture(scope="module")
def hashes() -> dict[int, StateHash]:
    return {}


@pytest.fixture
def archived(tmp_path: Path, hashes: dict[int, StateHash]) -> Path:
    """An archive of a run, with a checkpoint after every 30 batches; ``hashes`` holds the state after every tick."""
    messages = messages_of(EngineRun(events=200, is_ended=False).batches())
    with ArchiveWriter(tmp_path, "AUDIT_demo", "audit.demo", segment_bytes=4_000) as writer:
        append(writer, messages, flush_every=4)
    checkpoint_every(30, messages, tmp_path, hashes)
    return tmp_path


def checkpoint_every(count: int, messages: list[JournalMessage], folder: Path, hashes: dict[int, StateHash]) -> None:
    replica, verifier, checkpoints = Replica(load_data, load_user_data), AuditVerifier(), Checkpoints(folder)
    for message in messages:
        for tick in verifier.accept(message).ticks:
            replica.apply(tick)
            hashes[tick.sequence] = replica.hash()
        if message.sequence % count:
            continue
        assert replica.started is not None
        where = {"sequence": replica.sequence, "time_ns": replica.time_ns}
        snapshot = snapshot_of(replica.started, replica.state, **where, epoch=1, config_fingerprint="")
        head = CheckpointHead(
            "AUDIT_demo", message.sequence, verifier.chain, **where, stored_ns=1, engine_id="demo", engine_epoch=1
        )
        checkpoints.write(head, snapshot_to_bytes(snapshot))


def test_every_state_of_the_past_can_be_had(archived: Path, hashes: dict[int, StateHash]) -> None:
    assert len(Checkpoints(archived).sequences()) > 1
    for sequence in range(0, len(hashes), 9):
        replica = state_at(archived, sequence, load_data, load_user_data)
        assert replica.sequence == sequence
        assert replica.hash() == hashes[sequence]


def test_a_tick_behind_the_end_is_not_there(archived: Path, hashes: dict[int, StateHash]) -> None:
    with pytest.raises(NotArchived, match=f"tick {len(hashes)} is not in the archive, which ends with tick"):
        state_at(archived, len(hashes), load_data)
    with pytest.raises(NotArchived, match="tick -1"):
        state_at(archived, -1, load_data)


def test_a_damaged_checkpoint_is_told_and_an_older_one_taken(archived: Path, hashes: dict[int, StateHash]) -> None:
    checkpoints = Checkpoints(archived)
    newest = checkpoints.path(checkpoints.sequences()[-1])
    newest.write_bytes(newest.read_bytes()[:-1])
    told: list[Damage] = []
    replica = state_at(archived, len(hashes) - 1, load_data, load_user_data, on_damage=told.append)
    assert replica.hash() == hashes[len(hashes) - 1]
    assert [damage.path for damage in told] == [newest]


def test_damage_between_is_named_and_what_lies_behind_a_later_checkpoint_is_still_had(
    archived: Path, hashes: dict[int, StateHash]
) -> None:
    first = min((archived / "segments").glob("*.tba"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    with pytest.raises(ArchiveDamaged, match=first.name):
        state_at(archived, Checkpoints(archived).sequences()[0] - 1, load_data)
    last = len(hashes) - 1
    assert state_at(archived, last, load_data, load_user_data).hash() == hashes[last]
