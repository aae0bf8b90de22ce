"""A memory bus with the streams of one engine and its two accounts, and a run of that engine to fold."""

import pytest

from tests.support.audit_run import EngineRun
from tests.support.execution_service import ACCOUNTS
from tests.support.memory_bus import bus, log, other_bus, tasks
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology

__all__ = ["bus", "log", "other_bus", "tasks"]


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ACCOUNTS))
    return broker


@pytest.fixture(scope="session")
def run() -> EngineRun:
    """A run in the middle of trading. Tests only read it."""
    return EngineRun(events=400, is_ended=False)
