"""Prometheus metrics of one service, in a registry of its own."""

from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from services.runtime.lifecycle import State

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


@final
class Metrics:
    """The registry, and what every service counts.

    A service adds its own: `Counter(..., registry=metrics.registry)`.
    """

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.state: Final = Enum(
            "tradebus_service_state",
            "Where the service stands in its life",
            states=[state.value for state in State],
            registry=self.registry,
        )
        self.bus_connected: Final = Gauge(
            "tradebus_bus_connected", "1 while every connection to NATS stands", registry=self.registry
        )
        self.bus_events: Final = Counter(
            "tradebus_bus_events", "What the bus reported about itself", ["kind"], registry=self.registry
        )
        self.bus_refusals: Final = Counter(
            "tradebus_bus_refusals",
            "What the NATS server did not permit our user",
            ["operation"],
            registry=self.registry,
        )
        for operation in ("publish", "subscription"):
            self.bus_refusals.labels(operation)
        self.heartbeats: Final = Counter("tradebus_heartbeats", "Heartbeats sent", registry=self.registry)

    def exposition(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self.registry)
