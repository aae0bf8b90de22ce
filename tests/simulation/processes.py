"""Simulated processes: the services' own code, started as `services.runtime.run` starts it, killed at any await."""

import asyncio
import contextvars
import gc
import importlib
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Final, final

from services.runtime import Runtime, Service
from services.runtime.runtime import ServiceName
from tests.simulation.network import Network, ProcessDied, SimulatedBus
from tradebus.bus.errors import ConnectFailed
from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.config import Settings

# The package's own `run` is the function in it.
runtime_run: Final = importlib.import_module("services.runtime.run")

Boot = Callable[[Runtime, Bus], Awaitable[Service]]

_current: Final[contextvars.ContextVar["Process | None"]] = contextvars.ContextVar("process", default=None)


def current() -> "Process | None":
    """Return the process whose code runs."""
    return _current.get()


@final
class Process:
    """One life of one program: it ends once and never comes back."""

    def __init__(
        self,
        service: ServiceName,
        instance: str,
        settings: Settings,
        network: Network,
        boot: Boot,
        *,
        on_kill: "Callable[[Process], None]",
    ) -> None:
        self.service: Final = service
        self.instance: Final = instance
        self._network: Final = network
        self._boot: Final = boot
        self._on_kill: Final = on_kill
        self._settings: Final = settings
        self._context: Final = contextvars.copy_context()
        self._tasks: Final[dict[asyncio.Task[Any], None]] = {}
        self.runtime: Runtime | None = None
        self.bus: SimulatedBus | None = None
        self.built: Service | None = None
        self.is_dead = False
        self.error: BaseException | None = None
        """A mistake in the simulation itself."""
        self.ended: Final = asyncio.Event()
        """Set when it has ended, in order, with a failure or killed."""

    @property
    def is_ready(self) -> bool:
        """Whether the service says that all is well."""
        return not self.is_dead and self.runtime is not None and self.runtime.health.report().ready

    @property
    def failure(self) -> str | None:
        """Return why it ended by itself with an error."""
        return None if self.runtime is None else self.runtime.failure

    def start(self) -> None:
        """Begin to live."""

        def begin() -> None:
            _current.set(self)
            asyncio.get_running_loop().create_task(self._live()).add_done_callback(self._lived)

        self._context.run(begin)

    def kill(self) -> None:
        """End it as SIGKILL does: none of its code has any effect from now on."""
        if self.is_dead:
            return
        self.is_dead = True
        if self.bus is not None:
            self.bus.die()
        for task in tuple(self._tasks):
            task.cancel()
        self._on_kill(self)
        self.ended.set()

    async def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        assert self.runtime is not None
        self.runtime.finish("the simulation")
        await self.ended.wait()

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Take note of a task of ours."""
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None and isinstance(error, ProcessDied):
            self.kill()

    def _lived(self, task: "asyncio.Task[None]") -> None:
        """Take note of how the main task ended: by an error of ours too, which nobody else would see."""
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ProcessDied):
            self.error = error
            self.kill()

    async def _live(self) -> None:
        runtime = Runtime(self.service, self.instance, self._settings)
        self.runtime = runtime
        built: list[Service] = []
        starting = asyncio.create_task(runtime_run._start(runtime, self._bootstrap, built))
        stopping = asyncio.create_task(runtime.stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        outcome = (await asyncio.gather(starting, return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            runtime.fail(f"could not start: {outcome!r}")
        await runtime.stopping.wait()
        for service in built:
            await service.stop()
        await runtime.close()
        if not self.is_dead:
            self.is_dead = True
            self.ended.set()

    async def _bootstrap(self, runtime: Runtime) -> Service:
        bus = await runtime.connect(self._connect)
        self.built = await self._boot(runtime, bus)
        return self.built

    async def _connect(self, listener: Listener) -> Bus:
        if not self._network.broker.is_up:
            raise ConnectFailed(("simulated",), 0.0, "the server is away")
        self.bus = SimulatedBus(self._network, listener)
        return self.bus


def task_factory(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
) -> "asyncio.Task[Any]":
    """Make a task that belongs to the process whose code makes it."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    process = _current.get()
    if process is not None:
        process.adopt(task)
        if process.is_dead:
            task.cancel()
    return task


def spare_the_collector() -> None:
    """Do without what a process does for its garbage collector: there are thousands of them in ours."""
    runtime_run._spare_the_collector = gc.isenabled  # type: ignore[attr-defined]
