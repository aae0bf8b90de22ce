"""Fixtures of services on a memory bus; a folder's ``conftest.py`` imports them and makes the ``broker``."""

from collections.abc import AsyncIterator

import pytest

from tests.support.market_bus import KeptLog, Tasks
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker


@pytest.fixture
async def bus(broker: MemoryBroker) -> AsyncIterator[MemoryBus]:
    """The service's bus."""
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
    """Background work that ends with the test, and fails it when it failed."""
    tasks = Tasks()
    yield tasks
    await tasks.end()


@pytest.fixture
def log() -> KeptLog:
    """A log that keeps its lines."""
    return KeptLog()
