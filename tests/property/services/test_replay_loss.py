"""Whatever is lost between feed and engine, a replay's journal is that of the backtest, tick by tick."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.engine import replay as replay_module
from services.engine.started import engine_started
from services.market.recording import read_recordings
from services.market.replay import ReplayFeed
from services.replaying.settings import replay_settings
from services.runtime.dead_letters import DeadLetterBox
from tests.property.examples import scaled
from tests.support.engine_service import memory_broker, on_memory, read_journal, running_engine, ticks_of
from tests.support.market_bus import KeptLog, Tasks, identity_of, market_metrics
from tests.support.replaying import lose_some, moving_recording
from tests.support.waiting import eventually
from tradebus import backtest
from tradebus.bus.memory import MemoryBus
from tradebus.config import Settings
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import AuditTick

RUN = "test"


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Waits that a test need not sit out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_module, "CREDIT_PERIOD_S", 0.002)
        patch.setattr(replay_module, "WINDOW", 256)
        patch.setattr(replay_module, "GRANT_STEP", 64)
        yield


@settings(max_examples=scaled(12), deadline=None)
@given(
    count=st.integers(min_value=0, max_value=600),
    loss=st.sampled_from([0.0, 0.1, 0.3]),
    seed=st.integers(0, 2**32),
)
def test_a_lossy_bus_changes_nothing_in_the_journal_of_a_replay(count: int, loss: float, seed: int) -> None:
    with TemporaryDirectory() as folder:
        # A recording of nothing has no instrument: the settings are those of one that has.
        made = replay_settings([moving_recording(Path(folder), 10)], RUN, hash_every_batch=True)
        path = moving_recording(Path(folder), count)
        started = engine_started(made, RUN)
        expected = backtest(read_recordings([path], started.index), started)
        ticks = asyncio.run(_replayed(made, path, loss, Random(seed)))
    digest = RunDigest()
    for tick in ticks:
        digest.add(tick)
    assert digest.count == expected.ticks
    assert digest.hexdigest() == expected.digest
    assert len({canonical_text(tick) for tick in ticks}) == len(ticks)


async def _replayed(made: Settings, path: Path, loss: float, rng: Random) -> list[AuditTick]:
    broker = memory_broker(made)
    lose_some(broker, ("md.", "flow."), loss, rng)
    bus, reading = MemoryBus(broker), MemoryBus(broker)
    tasks, log = Tasks(), KeptLog()
    index = made.indexed_instruments()
    letters = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    feed = ReplayFeed(
        bus,
        made.journal_id,
        None,
        lambda: read_recordings([path], index),
        identity_of(index),
        letters,
        market_metrics(),
        tasks.spawn,
        log.bound,
    )
    await feed.start()
    async with running_engine(made, on_memory(broker)) as engine:
        await eventually(lambda: engine.status["is_finished"], f"{engine.status}")
        assert engine.status["dead_letters"] == engine.status["refused"] == 0
    ticks = ticks_of(await read_journal(reading, made.journal_id))
    await feed.stop()
    await tasks.end()
    for each in (bus, reading):
        await each.close(0.1)
    return ticks
