"""What a service has at hand while it runs: settings, log, health, metrics, tasks and the way to end."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Literal, TypeAlias, final

import structlog
from structlog.stdlib import BoundLogger

from services.runtime import nats
from services.runtime.health import Health, HealthReport
from services.runtime.lifecycle import Lifecycle
from services.runtime.link import BusLink
from services.runtime.metrics import Metrics
from services.runtime.service import Json, Service
from tradebus.bus import events
from tradebus.bus.interface import Bus
from tradebus.config import Settings
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition

ServiceName: TypeAlias = Literal["market", "engine", "execution", "audit"]


@final
class Runtime:
    """Handed to `bootstrap`; lives as long as the process."""

    def __init__(self, service: ServiceName, instance: str, settings: Settings) -> None:
        self.service: Final = service
        self.settings: Final = settings
        self.instance: Final = instance
        self.started_ns: Final = time.time_ns()
        self.log: Final[BoundLogger] = structlog.stdlib.get_logger(service)
        self.metrics: Final = Metrics()
        self.lifecycle: Final = Lifecycle()
        self.health: Final = Health(self.lifecycle, self._health_changed)
        self.stopping: Final = asyncio.Event()
        """Set when the service is to stop, whatever for."""
        self.failure: str | None = None
        """Why the service ends with an error, or None."""
        self._link: Final = BusLink(settings.nats.url, self.health, self.metrics, self.log, self.fail, service)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: Final = AsyncExitStack()
        self.bus: Bus | None = None
        """The first bus connected; heartbeats go out on it."""
        self._health_changed(self.health.report())

    async def connect_nats(self) -> Bus:
        """Return a bus over the configured NATS server; see `connect`."""
        return await self.connect(nats.connector(self.settings, self.service, self.instance))

    async def connect(self, connector: Callable[[events.Listener], Awaitable[Bus]]) -> Bus:
        """Return a connected bus, however long NATS takes to appear; health and log say that we wait.

        `connector(listener)` makes one bounded attempt, adds `listener` to the bus before it connects, and raises
        ConnectFailed when nobody answers. The bus is closed after the service has stopped.
        """
        bus = await self._link.connect(connector)
        self.on_exit(bus.close)
        self.bus = self.bus or bus
        return bus

    def on_exit(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await `close()` after the service has stopped, or has failed to start; the last registered goes first."""
        self._closing.push_async_callback(close)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` beside the service. If it raises, the service ends with an error, in order."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def fail(self, reason: str) -> None:
        """End the service in order, with an error. The first reason counts."""
        if self.failure is None and not self.stopping.is_set():
            self.failure = reason
            self.log.error("failed, stopping", reason=reason)
        self.stopping.set()

    def finish(self, reason: str) -> None:
        """End the service in order, its job done."""
        if not self.stopping.is_set():
            self.log.info("stopping", reason=reason)
        self.stopping.set()

    async def close(self) -> None:
        """Cancel what `spawn` started, wait until it has ended, then do what `on_exit` was told."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._closing.aclose()

    def beat(self, service: Service, time_ns: int) -> Heartbeat:
        """Return the heartbeat of this moment."""
        mode, state = self.settings.mode.value, self.lifecycle.state.value
        positions, leases = tuple(service.positions()), tuple(service.leases())
        return Heartbeat(self.service, self.instance, mode, time_ns, state, positions, leases)

    def status(self, service: Service | None) -> Mapping[str, Json]:
        """Return the body of `/status`: who and how this is, and the service's own data once it is built."""
        report = self.health.report()
        return {
            "service": self.service,
            "instance": self.instance,
            "mode": self.settings.mode.value,
            "state": report.state.value,
            "reasons": dict(report.reasons),
            "pid": os.getpid(),
            "started_ns": self.started_ns,
            "positions": [] if service is None else [_position(each) for each in service.positions()],
            "leases": [] if service is None else list(service.leases()),
            "data": {} if service is None else service.status(),
        }

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not self.stopping.is_set():
            self.log.error("task failed", task=task.get_name(), exc_info=error)
        self.fail(f"{task.get_name()}: {error!r}")

    def _health_changed(self, report: HealthReport) -> None:
        self.metrics.state.state(report.state.value)
        if report.reasons:
            self.log.warning("not ready", state=report.state.value, reasons=report.reasons)
        else:
            self.log.info("state", state=report.state.value)


def _position(position: StreamPosition) -> Json:
    return {"subject": position.subject, "epoch": position.epoch, "sequence": position.sequence}


def default_instance() -> str:
    """Return a name for this process that is one token of a subject: host name and process id."""
    host = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:40] or "host"
    return f"{host}-{os.getpid()}"
