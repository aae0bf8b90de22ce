"""A checkpoint is what was written, or an error that says where it is damaged."""

from pathlib import Path

import pytest

from tests.support.audit_run import EngineRun
from tradebus.journal.archive.checkpoints import CheckpointDamaged, CheckpointHead, Checkpoints
from tradebus.strategies.loading import load_data
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes

HEAD = CheckpointHead("AUDIT_demo", 9, "ab" * 16, 0, 5, 6, "demo", 1)


@pytest.fixture(scope="module")
def snapshot() -> bytes:
    run = EngineRun(events=60, is_ended=False)
    engine = run.engine
    made = snapshot_of(engine.started, engine.state, sequence=0, time_ns=5, epoch=1, config_fingerprint="")
    return snapshot_to_bytes(made)


@pytest.fixture
def checkpoints(tmp_path: Path, snapshot: bytes) -> Checkpoints:
    made = Checkpoints(tmp_path)
    made.write(HEAD, snapshot, b"beside", b"rows")
    return made


def test_what_was_written_comes_back(checkpoints: Checkpoints, snapshot: bytes) -> None:
    head, found = checkpoints.read(0, load_data)
    assert head == HEAD == checkpoints.head(0)
    assert snapshot_to_bytes(found) == snapshot
    assert checkpoints.extras(0) == b"beside"
    assert checkpoints.rows(0) == b"rows"
    assert checkpoints.sequences() == [0]
    assert checkpoints.damages() == []


def test_what_lies_beside_may_be_missing(tmp_path: Path, snapshot: bytes) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.sequences() == []
    checkpoints.write(HEAD, snapshot)
    assert checkpoints.extras(0) is None
    assert checkpoints.rows(0) is None


def test_any_changed_byte_is_found(checkpoints: Checkpoints) -> None:
    path = checkpoints.path(0)
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 200)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(CheckpointDamaged, match=path.name):
            checkpoints.read(0, load_data)
        assert [damage.path for damage in checkpoints.damages()] == [path]


def test_any_cut_is_found(checkpoints: Checkpoints) -> None:
    for path in (checkpoints.path(0), checkpoints.extras_path(0), checkpoints.rows_path(0)):
        whole = path.read_bytes()
        for size in range(0, len(whole), max(1, len(whole) // 50)):
            path.write_bytes(whole[:size])
            assert [damage.path for damage in checkpoints.damages()] == [path]
        path.write_bytes(whole)


def test_a_checkpoint_under_another_name_is_refused(checkpoints: Checkpoints) -> None:
    checkpoints.path(0).rename(checkpoints.path(7))
    with pytest.raises(CheckpointDamaged, match="expected a checkpoint at tick 7, found one of 0 with a state of 0"):
        checkpoints.head(7)


def test_a_dropped_checkpoint_is_gone_with_what_lay_beside_it(checkpoints: Checkpoints) -> None:
    checkpoints.drop_rows(0)
    assert (checkpoints.extras(0), checkpoints.rows(0)) == (b"beside", None)
    checkpoints.drop(0)
    assert checkpoints.sequences() == []
    assert checkpoints.extras(0) is None
    with pytest.raises(CheckpointDamaged, match="there is no such checkpoint"):
        checkpoints.read(0, load_data)
