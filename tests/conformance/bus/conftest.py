import pytest

from tests.support.event_loops import BOTH_LOOPS, LoopFactories
from tests.support.nats_server import nats_server, new_nats_server, unique

__all__ = ["nats_server", "new_nats_server", "unique"]

for part in ("messages", "requests", "journals", "buckets", "leases", "ending"):
    pytest.register_assert_rewrite(f"tests.conformance.bus.{part}_contract")


def pytest_asyncio_loop_factories() -> LoopFactories:
    return BOTH_LOOPS
