from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.nats_server import NatsServer, nats_server, new_nats_server, unique
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus

__all__ = ["connect", "nats_server", "new_nats_server", "unique"]


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[NatsServer], Awaitable[Bus]]]:
    """Buses of the test's own, closed at its end."""
    buses: list[Bus] = []

    async def connect_to(server: NatsServer) -> Bus:
        bus = await NatsBus.connect(server.options())
        buses.append(bus)
        return bus

    yield connect_to
    for bus in buses:
        await bus.close()
