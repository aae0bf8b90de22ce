"""The internal server answers truthfully for health, metrics and status."""

import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from services.runtime.health import Health
from services.runtime.http import InternalServer
from services.runtime.lifecycle import Event, Lifecycle
from services.runtime.metrics import Metrics
from services.runtime.ports import CannotListen, Listening
from services.runtime.service import Json
from tradebus.config import Address

LOOPBACK = Listening(Address("127.0.0.1", 0), "health and metrics of market", "runtime.http.market")


class Served:
    def __init__(self) -> None:
        self.lifecycle = Lifecycle()
        self.health = Health(self.lifecycle, lambda _: None)
        self.metrics = Metrics()
        self.server = InternalServer(LOOPBACK, self.health, self.metrics, self.status)
        self.url = ""

    def status(self) -> Mapping[str, Json]:
        return {"service": "market", "data": {"events": 3, "price": "1.5"}}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    made.url = (await made.server.start()).url
    yield made
    await made.server.stop()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_ready_follows_the_health_and_says_why_not(served: Served) -> None:
    assert await get(f"{served.url}/health/ready") == (503, '{"ready": false, "state": "starting", "reasons": {}}')
    served.health.started()
    assert await get(f"{served.url}/health/ready") == (200, '{"ready": true, "state": "ready", "reasons": {}}')
    served.health.trouble("bus", "NATS is away")
    assert await get(f"{served.url}/health/ready") == (
        503,
        '{"ready": false, "state": "degraded", "reasons": {"bus": "NATS is away"}}',
    )


async def test_live_is_true_until_the_very_end(served: Served) -> None:
    assert (await get(f"{served.url}/health/live"))[0] == 200
    served.lifecycle.advance(Event.STOP)
    assert (await get(f"{served.url}/health/live"))[0] == 200
    served.lifecycle.advance(Event.DONE)
    assert (await get(f"{served.url}/health/live"))[0] == 503


async def test_metrics_are_in_the_format_of_prometheus(served: Served) -> None:
    served.metrics.heartbeats.inc()
    served.metrics.state.state("ready")
    status, text = await get(f"{served.url}/metrics")
    assert status == 200
    assert "tradebus_heartbeats_total 1.0" in text
    assert 'tradebus_service_state{tradebus_service_state="ready"} 1.0' in text


async def test_status_is_what_the_service_says(served: Served) -> None:
    assert await get(f"{served.url}/status") == (
        200,
        '{"service": "market", "data": {"events": 3, "price": "1.5"}}',
    )


async def test_a_taken_port_is_refused_with_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listening = Listening(
            Address("127.0.0.1", taken.getsockname()[1]), "health and metrics of market", "runtime.http.market"
        )
        made = Served()
        server = InternalServer(listening, made.health, made.metrics, made.status)
        with pytest.raises(CannotListen, match="it is for health and metrics of market"):
            await server.start()
