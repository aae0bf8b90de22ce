"""A memory bus with the streams of one engine."""

import pytest

from tests.support.memory_bus import bus, log, other_bus, tasks
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology

__all__ = ["bus", "log", "other_bus", "tasks"]


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ("alpha-paper",)))
    return broker
