"""A memory bus with the streams of one engine, and a log that keeps its lines."""

from collections.abc import AsyncIterator

import pytest

from tests.support.market_bus import KeptLog, Tasks
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ("alpha-paper",)))
    return broker


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    """The engine's bus."""
    bus = MemoryBus(broker)
    yield bus
    await bus.close(0.1)


@pytest.fixture
async def other_bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    """The bus of whoever else is there."""
    bus = MemoryBus(broker)
    yield bus
    await bus.close(0.1)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.end()


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()
