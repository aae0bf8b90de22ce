from collections.abc import AsyncIterator

import pytest

from tests.support.market_bus import KeptLog, Tasks
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    """The market service's bus."""
    bus = MemoryBus(broker)
    yield bus
    await bus.close()


@pytest.fixture
async def other_bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    """The bus of who listens."""
    bus = MemoryBus(broker)
    yield bus
    await bus.close()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.end()


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()
