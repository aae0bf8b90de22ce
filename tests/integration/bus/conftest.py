from tests.support.bus_clients import connect
from tests.support.event_loops import BOTH_LOOPS, LoopFactories
from tests.support.nats_server import nats_server, new_nats_server, unique

__all__ = ["connect", "nats_server", "new_nats_server", "unique"]


def pytest_asyncio_loop_factories() -> LoopFactories:
    return BOTH_LOOPS
