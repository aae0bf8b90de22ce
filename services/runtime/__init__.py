"""What the four services share: start to stop, signals, logs, health, metrics, heartbeats."""

from services.runtime.health import Health, HealthReport
from services.runtime.heartbeat import Beat, Heartbeats, Position
from services.runtime.lifecycle import State
from services.runtime.metrics import Metrics
from services.runtime.ports import CannotListen, Listening
from services.runtime.run import Bootstrap, main, run
from services.runtime.runtime import Runtime, ServiceName
from services.runtime.service import Json, Service

__all__ = [
    "Beat",
    "Bootstrap",
    "CannotListen",
    "Health",
    "HealthReport",
    "Heartbeats",
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
