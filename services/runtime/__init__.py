"""What the four services share: start to stop, signals, logs, health, metrics, heartbeats."""

from services.runtime.health import Health, HealthReport
from services.runtime.lifecycle import State
from services.runtime.metrics import Metrics
from services.runtime.ports import CannotListen, Listening
from services.runtime.run import Bootstrap, main, run
from services.runtime.runtime import Runtime, ServiceName
from services.runtime.service import Json, Service
from tradebus.wire.codec.heartbeat import StreamPosition as Position

__all__ = [
    "Bootstrap",
    "CannotListen",
    "Health",
    "HealthReport",
    "Json",
    "Listening",
    "Metrics",
    "Position",
    "Runtime",
    "Service",
    "ServiceName",
    "State",
    "main",
    "run",
]
