"""One supervisor per folder."""

from pathlib import Path

import pytest

from services.supervisor.lock import AlreadyRunning, Holder, RunLock

HOLDER = Holder(pid=17, mode="demo", api_url="http://127.0.0.1:8000", started_ns=5)


def test_a_lock_is_held_by_one_and_says_by_whom(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path), RunLock(tmp_path)
    assert not second.is_held()
    first.acquire(HOLDER)
    assert second.is_held()
    assert second.holder() == HOLDER
    with pytest.raises(AlreadyRunning, match=r"process 17, mode demo, http://127\.0\.0\.1:8000") as caught:
        second.acquire(HOLDER)
    assert caught.value.holder == HOLDER
    first.release()
    assert not second.is_held()
    assert second.holder() is None
    second.acquire(HOLDER)
    second.release()
    second.release()


def test_a_note_that_cannot_be_read_is_no_holder(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text('{"pid": 1, "unknown": true}')
    assert RunLock(tmp_path).holder() is None
    (tmp_path / "up.lock").write_text("garbage")
    assert RunLock(tmp_path).holder() is None


def test_waiting_ends_with_the_lock_or_with_the_patience(tmp_path: Path) -> None:
    lock = RunLock(tmp_path).acquire(HOLDER)
    assert not RunLock(tmp_path).wait_released(0.0)
    lock.release()
    assert RunLock(tmp_path).wait_released(0.0)
