from tests.support.bus_clients import connect
from tests.support.event_loops import BOTH_LOOPS, LoopFactories
from tests.support.nats_server import new_nats_server

__all__ = ["connect", "new_nats_server"]


def pytest_asyncio_loop_factories() -> LoopFactories:
    return BOTH_LOOPS
