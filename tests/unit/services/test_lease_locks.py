"""A lease of the dead is taken at once, and never one of the living, or of somebody of whom nothing is known."""

import os
import time
from pathlib import Path

import pytest

from services.runtime.lease_locks import SWEPT_AFTER_S, LeaseLocks, leased
from tests.support.engine_service import engine_settings, memory_broker
from tradebus.bus.memory import MemoryBus

KEY = "engine.demo"


def test_a_lock_tells_the_dead_from_the_living(tmp_path: Path) -> None:
    living, dying, other = LeaseLocks(tmp_path), LeaseLocks(tmp_path), LeaseLocks(tmp_path / "elsewhere")
    assert living.is_locked
    assert not living.is_dead(dying.token)
    dying.close()
    assert living.is_dead(dying.token)
    assert not living.is_dead(living.token), "we ask for ourselves"
    assert not living.is_dead(other.token), "of another volume"
    assert not living.is_dead("../elsewhere/" + other.token)
    assert not living.is_dead("")


def test_files_of_the_dead_are_removed_when_no_lease_of_theirs_can_stand(tmp_path: Path) -> None:
    locks = [LeaseLocks(tmp_path) for _ in range(3)]
    long_ago_s = time.time() - 2 * SWEPT_AFTER_S
    for each in locks[:2]:
        os.utime(tmp_path / f"{each.token}.lock", (long_ago_s, long_ago_s))
    locks[0].close()
    locks[2].close()
    last = LeaseLocks(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {locks[1].token, locks[2].token, last.token}


@pytest.mark.parametrize("shares_volume", [True, False])
async def test_the_lease_of_the_dead_is_not_waited_for(tmp_path: Path, shares_volume: bool) -> None:
    broker = memory_broker(engine_settings())
    first, second = MemoryBus(broker), MemoryBus(broker)
    before = LeaseLocks(tmp_path)
    behind = LeaseLocks(tmp_path if shares_volume else tmp_path / "other")
    lost: list[str] = []
    held = leased(first, KEY, "engine-1", lost.append, before)
    assert await held.acquire()
    successor = leased(second, KEY, "engine-1", lost.append, behind)
    assert not await successor.acquire(), "its holder lives"
    first.lose_connection()
    assert not await successor.acquire(), "it cannot be reached, and lives"
    before.close()
    assert await successor.acquire() == shares_volume
    await successor.release()
    await first.close(0.1)
    await second.close(0.1)
