"""The link to the bus waits with patience, and health tells the truth about it."""

from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import structlog
from structlog.testing import capture_logs

from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle, State
from services.runtime.link import BusLink
from services.runtime.metrics import Metrics
from tradebus.bus import events
from tradebus.bus.errors import ConnectFailed, JournalRewound
from tradebus.bus.interface import Bus

URL = "nats://127.0.0.1:4222"
BUS = cast("Bus", object())


class Linked:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.health = Health(Lifecycle(), lambda _: None)
        self.fatal: list[str] = []
        log = structlog.stdlib.get_logger("test")
        self.link = BusLink(URL, self.health, self.metrics, log, self.fatal.append)
        self.reasons: list[dict[str, str]] = []

    def connector(self, *failures: Exception) -> Callable[[events.Listener], Awaitable[Bus]]:
        left = list(failures)

        async def connect(listener: events.Listener) -> Bus:
            self.reasons.append(self.health.report().reasons)
            if left:
                raise left.pop(0)
            listener(events.Connected("data", URL, "2.15"))
            return BUS

        return connect

    def connected_metric(self) -> float | None:
        return self.metrics.registry.get_sample_value("tradebus_bus_connected")


async def test_an_absent_nats_is_waited_for_and_said() -> None:
    linked = Linked()
    away = ConnectFailed((URL,), 2.0, "connection refused")
    with capture_logs() as logs:
        assert await linked.link.connect(linked.connector(away, away)) is BUS
    waiting = {"bus": f"NATS not reachable at {URL}, retrying"}
    assert linked.reasons == [{}, waiting, waiting]
    assert linked.health.report().reasons == {}
    assert linked.connected_metric() == 1
    assert [entry["event"] for entry in logs] == ["NATS not reachable, retrying", "connected to NATS"]
    assert logs[0]["url"] == URL


async def test_what_waiting_cannot_help_is_raised_at_once() -> None:
    linked = Linked()
    with pytest.raises(PermissionError):
        await linked.link.connect(linked.connector(PermissionError("refused")))


async def test_an_outage_shows_in_health_and_metrics_until_every_connection_is_back() -> None:
    linked = Linked()
    await linked.link.connect(linked.connector())
    linked.health.started()
    assert linked.health.report().ready
    linked.link.on_event(events.Disconnected("data"))
    linked.link.on_event(events.Disconnected("journal"))
    assert linked.health.report().state is State.DEGRADED
    assert "connection `data` to NATS" in linked.health.report().reasons["bus"]
    assert linked.connected_metric() == 0
    linked.link.on_event(events.Reconnected("data", 0.5))
    assert not linked.health.report().ready
    linked.link.on_event(events.Reconnected("journal", 0.5))
    assert linked.health.report().ready
    assert linked.connected_metric() == 1
    assert linked.fatal == []


def test_what_cannot_be_helped_ends_the_service() -> None:
    linked = Linked()
    linked.link.on_event(events.Closed("data", "protocol violation"))
    linked.link.on_event(events.ReaderFailed("AUDIT_demo", JournalRewound("AUDIT_demo", 5, 2)))
    assert linked.fatal[0].startswith("bus: closed")
    assert "protocol violation" in linked.fatal[0]
    assert "AUDIT_demo" in linked.fatal[1]


def test_every_kind_of_event_is_counted_and_logged_without_raising() -> None:
    linked = Linked()
    happened = [
        events.Connected("data", URL, "2.15"),
        events.Disconnected("data"),
        events.Reconnected("data", 1.0),
        events.ConnectionTrouble("data", "refused", 3),
        events.ServerLeaving("data"),
        events.SlowConsumer("md.sim_alpha.0", 1, 2),
        events.OutboundDropped("data", 1, 2),
        events.PermissionViolation("data", "publish", "md.x"),
        events.HandlerFailed("md.x", ValueError("bad"), 0),
        events.ReaderResumed("AUDIT_demo", 3, "reconnected"),
    ]
    kinds = {kind.__name__ for kind in events.BusEvent.__subclasses__()}
    assert {type(event).__name__ for event in happened} == kinds - {"Closed", "ReaderFailed"}
    with capture_logs() as logs:
        for event in happened:
            linked.link.on_event(event)
    assert len(logs) == len(happened)
    for event in happened:
        labels = {"kind": type(event).__name__}
        assert linked.metrics.registry.get_sample_value("tradebus_bus_events_total", labels) == 1
