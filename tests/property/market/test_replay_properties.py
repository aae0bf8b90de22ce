"""Whatever is lost on the way, in either direction: the engine ends with every event once, in order."""

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.market.recording import read_recordings
from services.market.replay import ReplayFeed
from services.runtime.dead_letters import DeadLetterBox
from tests.property.examples import scaled
from tests.support.market_bus import KeptLog, ReplayEngine, Tasks, identity_of, market_metrics
from tests.support.market_instruments import spot_index
from tests.support.recordings import START_NS, line, recording, trade
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.core.model.identifiers import ExchangeId

INDEX = spot_index(ExchangeId.BINANCE_SPOT, "btc")


@settings(max_examples=scaled(25), deadline=None)
@given(
    count=st.integers(min_value=0, max_value=400),
    ahead=st.integers(min_value=4, max_value=300),
    loss=st.floats(min_value=0, max_value=0.4),
    seed=st.integers(),
)
def test_a_lossy_bus_loses_nothing_of_a_replay(count: int, ahead: int, loss: float, seed: int) -> None:
    with TemporaryDirectory() as folder:
        lines = [line(START_NS + number, trade("BTCUSDT", number)) for number in range(count)]
        path = recording(Path(folder) / "binance-spot-x", lines)
        expected = list(read_recordings([path], INDEX))
        engine = asyncio.run(replay(path, ahead, loss, Random(seed)))
    assert engine.events == expected
    assert engine.total == count


async def replay(path: Path, ahead: int, loss: float, rng: Random) -> ReplayEngine:
    broker = MemoryBroker()
    bus, other_bus = MemoryBus(broker), MemoryBus(broker)
    tasks, log = Tasks(), KeptLog()
    letters = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
    feed = ReplayFeed(
        bus,
        "replay",
        "run",
        lambda: read_recordings([path], INDEX),
        identity_of(INDEX),
        letters,
        market_metrics(),
        tasks.spawn,
        log.bound,
    )
    await feed.start()
    engine = ReplayEngine(other_bus, INDEX, ahead=ahead, loses=lambda _: rng.random() < loss)
    await engine.listen()
    await engine.finish()
    await feed.stop()
    await tasks.end()
    await other_bus.close()
    await bus.close()
    return engine
