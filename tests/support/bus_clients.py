"""Buses that a test need not close, so that a failing one leaves nothing behind."""

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from tests.support.nats_server import NatsServer
from tradebus.bus.events import Listener
from tradebus.bus.nats_bus import NatsBus


class Connect(Protocol):
    """Connects a bus that is closed at the end of the test."""

    async def __call__(
        self,
        server: NatsServer,
        service: str = "test",
        listener: Listener | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        ping_interval_s: float = 1.0,
    ) -> NatsBus: ...


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    buses: list[NatsBus] = []

    async def make(
        server: NatsServer,
        service: str = "test",
        listener: Listener | None = None,
        *,
        user: str | None = None,
        password: str | None = None,
        ping_interval_s: float = 1.0,
    ) -> NatsBus:
        options = server.options(service, user=user, password=password, ping_interval_s=ping_interval_s)
        buses.append(await NatsBus.connect(options, listener=listener))
        return buses[-1]

    yield make
    for bus in buses:
        await bus.close(0.5)
