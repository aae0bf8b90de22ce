"""Run a whole Tradebus system on this machine: NATS and the four services as child processes."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, final

from services.runtime.nats import provision_streams, system_of
from services.runtime.ports import CannotListen, check_free
from services.supervisor import earlier, effective
from services.supervisor.broker import Broker
from services.supervisor.catalogue import SERVICES, Program
from services.supervisor.keeper import Keeper
from services.supervisor.lock import Holder, RunLock
from services.supervisor.logfiles import rotate
from services.supervisor.probe import Probe
from services.supervisor.progress import Progress, Silent
from services.supervisor.restarts import RestartPolicy
from services.supervisor.summary import Summary
from services.supervisor.watch import Watch
from tradebus.bus.errors import BusError
from tradebus.bus.server import ServerError
from tradebus.bus.user_keys import UserKeyError, server_users
from tradebus.config import Mode, Settings

_ROOT: Final = Path(__file__).resolve().parents[2]
_POLL_S: Final = 0.05
_STOP_GRACE_S: Final = 3.0
_CATCH_UP_S: Final = 3.0


class SupervisorError(Exception):
    """The system could not be started or kept running; the text is for a person."""


class NotReady(SupervisorError):
    """Not everything became ready in time."""


@final
class Supervisor:
    """One system: `start`, `wait_ready`, then `wait` or whatever a test does to it, and `stop` in any case.

    All data (streams, logs, effective configuration) go to `data_dir`, by default the configured one. With
    `any_ports` API and NATS listen on free ports instead of the configured ones. `environment` is added to the
    children's. What an earlier run left in the data folder is gone on with, unless `fresh`, or in a replay that is not
    to `resume`: then it is removed first. To be used from one event loop in the main thread.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        data_dir: Path | None = None,
        any_ports: bool = False,
        environment: Mapping[str, str] | None = None,
        programs: Sequence[Program] = SERVICES,
        progress: Progress | None = None,
        policy: RestartPolicy | None = None,
        fresh: bool = False,
        resume: bool = False,
    ) -> None:
        self.data_dir: Final = (data_dir or settings.runtime.data_dir).resolve()
        self.settings = effective.settle(settings, self.data_dir, any_ports=any_ports)
        """What the children run with; the broker's port is known after `start`."""
        self._environment: Final = dict(environment or {})
        self._programs: Final = tuple(programs)
        self._progress: Final = progress or Silent()
        self._policy: Final = policy or RestartPolicy()
        self._is_fresh: Final = fresh or (settings.mode is Mode.REPLAY and not resume)
        self._lock: Final = RunLock(self.data_dir)
        self._broker: Broker | None = None
        self._keepers: dict[str, Keeper] = {}
        self._probe: Probe | None = None
        self._watch: Watch | None = None
        self._watching: asyncio.Task[None] | None = None
        self._failed: asyncio.Future[str] | None = None
        self._started_s = 0.0
        self._summary: Summary | None = None

    async def __aenter__(self) -> Self:
        """Start, wait until all is ready; whatever fails on the way is stopped again."""
        try:
            await self.start()
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ------------------------------------------------------------------------------ what runs where

    @property
    def api_url(self) -> str:
        """The REST API's address, as `http://127.0.0.1:8000`."""
        return self.settings.api.listen.url

    @property
    def nats_url(self) -> str:
        """The broker's address."""
        return self.settings.nats.url

    def http_url(self, name: str) -> str:
        """Return the address of a service's internal server (health, metrics, status)."""
        url: str = getattr(self.settings.runtime.http, name).url
        return url

    def log_file(self, name: str) -> Path:
        """Return where a service's output goes."""
        return self.data_dir / "logs" / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return a service's process id, None while it does not run; `nats` is the broker."""
        if name == "nats":
            return None if self._broker is None or not self._broker.is_running else self._broker.pid
        return self._keepers[name].pid

    # ------------------------------------------------------------------------------ start

    async def start(self) -> None:
        """Start everything, the services in parallel; return when they run, not yet when they are ready.

        Raises AlreadyRunning, SupervisorError (a port in use: every one is named) before anything was started.
        """
        await self._take_place()
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        self._started_s = loop.time()
        self._probe = Probe()
        if self.settings.nats.embedded:
            await self._start_broker()
        config_file = self.data_dir / "run" / "tradebus.toml"
        effective.write(self.settings, config_file)
        environment = effective.environment(self.settings, config_file, self._environment)
        for program in self._programs:
            log_file = self.log_file(program.name)
            rotate(log_file, bytes_max=0)
            keeper = Keeper(program, environment, _ROOT, log_file, self._policy, self._progress, self._fail)
            self._keepers[program.name] = keeper
        urls = {name: self.http_url(name) for name in self._keepers}
        self._watch = Watch(self._broker, self._keepers, urls, self._probe, self._policy, self._progress, self._fail)
        await asyncio.gather(*(keeper.start() for keeper in self._keepers.values()))
        self._watching = asyncio.create_task(self._watch.run(), name="watch")
        self._watching.add_done_callback(self._watch_ended)

    async def wait_ready(self, timeout_s: float = 60.0, names: Sequence[str] | None = None) -> None:
        """Return when the services are ready, all of them or those named. Raises NotReady saying who is not, and why.

        Raises SupervisorError at once when one of them has been given up.
        """
        assert self._watch is not None, "started"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        waiting = list(names or self._keepers)
        while True:
            self._raise_if_failed()
            said = {name: await self._watch.ask(name) for name in waiting}
            waiting = [name for name, answer in said.items() if not answer.ready]
            if not waiting:
                return
            if loop.time() >= deadline:
                reasons = "; ".join(f"{name} {said[name].words}" for name in waiting)
                raise NotReady(f"not ready after {timeout_s:g} s: {reasons}")
            await asyncio.sleep(_POLL_S)

    async def wait(self) -> None:
        """Return never; raise SupervisorError when the system cannot be kept running."""
        assert self._failed is not None, "started"
        raise SupervisorError(await asyncio.shield(self._failed))

    # ------------------------------------------------------------------------------ while it runs

    async def status(self, name: str) -> dict[str, Any] | None:
        """Return a service's `/status`, None when it does not answer."""
        assert self._probe is not None, "started"
        return await self._probe.status(self.http_url(name))

    async def kill(self, name: str, which: signal.Signals = signal.SIGKILL) -> None:
        """End a service without warning (or the broker: `nats`) and keep it down until `restart`."""
        if name == "nats":
            assert self._broker is not None, "embedded"
            assert self._watch is not None, "started"
            self._watch.wants_broker = False
            self._broker.kill()
        else:
            await self._keepers[name].kill(which)

    async def restart(self, name: str) -> None:
        """Start a service again: after `kill` as it is, otherwise after an ordered stop. See `wait_ready`."""
        if name == "nats":
            assert self._broker is not None, "embedded"
            assert self._watch is not None, "started"
            self._broker.stop()
            self._broker.start()
            self._watch.wants_broker = True
        else:
            await self._keepers[name].stop(self._stop_timeout_s)
            await self._keepers[name].start()

    # ------------------------------------------------------------------------------ stop

    async def stop(self) -> Summary:
        """Stop the services in order, the broker last, and return the summary. Safe to repeat and after a failure."""
        if self._summary is not None:
            return self._summary
        clean = True
        await self._end_watch()
        for name in [program.name for program in self._programs if program.name != "audit"]:
            clean &= await self._stop_one(name)
        status = await self._audit_at_rest()
        clean &= await self._stop_one("audit")
        if self._broker is not None and self._broker.is_running:
            self._broker.stop()
            self._progress.tell("nats", "stopped")
        if self._probe is not None:
            await self._probe.close()
        self._lock.release()
        seconds = asyncio.get_running_loop().time() - self._started_s if self._started_s else 0.0
        restarts = sum(keeper.restarts for keeper in self._keepers.values())
        self._summary = Summary.of(self.settings.mode.value, seconds, status, restarts, clean=clean)
        return self._summary

    def kill_all(self) -> None:
        """End everything at once, in no order; for when even stopping is to be interrupted."""
        for keeper in self._keepers.values():
            keeper.kill_now()
        if self._broker is not None and self._broker.is_running:
            self._broker.kill()

    @property
    def _stop_timeout_s(self) -> float:
        return self.settings.runtime.stop_timeout_ms / 1000 + _STOP_GRACE_S

    async def _stop_one(self, name: str) -> bool:
        keeper = self._keepers.get(name)
        if keeper is None or not keeper.is_wanted:
            return True
        stopped = await keeper.stop(self._stop_timeout_s)
        if stopped:
            self._progress.tell(name, "stopped")
        return stopped

    async def _audit_at_rest(self) -> dict[str, Any] | None:
        """Return the audit service's status once its sequence has stopped moving; None when it does not answer."""
        if self._keepers.get("audit") is None or self._keepers["audit"].pid is None:
            return None
        status = await self.status("audit")
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCH_UP_S):
                while status is not None:
                    await asyncio.sleep(_POLL_S)
                    later = await self.status("audit")
                    if later is None or _sequence(later) == _sequence(status):
                        break
                    status = later
        return status

    # ------------------------------------------------------------------------------ inside

    async def _take_place(self) -> None:
        """Take the lock and make sure that every address is free. Raises AlreadyRunning or SupervisorError."""
        leftover = self._lock.holder() is not None
        self._lock.acquire(Holder(os.getpid(), self.settings.mode.value, self.api_url, time.time_ns()))
        wanted = effective.listening(self.settings)
        complaints: list[CannotListen] = check_free(wanted)
        if complaints and leftover:
            # The last supervisor here was killed; its children have been told to end and may still be at it.
            self._progress.tell("tradebus", "waiting", "for the processes of an earlier run to end")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._stop_timeout_s):
                    while complaints:
                        await asyncio.sleep(_POLL_S)
                        complaints = check_free(wanted)
        if complaints:
            self._lock.release()
            raise SupervisorError("\n".join(str(complaint) for complaint in complaints))

    async def _start_broker(self) -> None:
        """Start the embedded server, on an empty store where that is wanted, and make the streams."""
        removed = self._remove_earlier() if self._is_fresh else False
        try:
            self._broker = Broker(self.settings, self._users())
            self._broker.start()
            self.settings = effective.with_nats_url(self.settings, self._broker.url, self._broker.monitoring_url)
            await provision_streams(self.settings)
            told = await earlier.told(self.settings)
        except (ServerError, BusError, UserKeyError) as error:
            raise SupervisorError(str(error)) from error
        if removed:
            told = "begins afresh: journals of earlier runs are removed"
        self._progress.tell("nats", "up", f"{self.nats_url}, {told or 'empty streams'}")

    def _users(self) -> str:
        """Return the server's side of its users, keys made where they are missing; nothing where it is to have none."""
        if not self.settings.nats.users:
            return ""
        folder = (self.settings.nats.users_dir or self.data_dir / "access" / "nats").resolve()
        self.settings = effective.with_users_dir(self.settings, folder)
        return server_users(folder, system_of(self.settings))

    def _remove_earlier(self) -> bool:
        """Remove what earlier runs left; tell whether there was anything."""
        store_dir = self.settings.nats.store_dir
        assert store_dir is not None, "settled"
        removed = earlier.remove(store_dir, self.data_dir)
        for path in removed:
            self._progress.tell("tradebus", "removed", str(path))
        return bool(removed)

    def _fail(self, reason: str) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(reason)

    def _raise_if_failed(self) -> None:
        if self._failed is not None and self._failed.done():
            raise SupervisorError(self._failed.result())

    async def _end_watch(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def _watch_ended(self, watching: asyncio.Task[None]) -> None:
        if not watching.cancelled() and (error := watching.exception()) is not None:
            self._fail(f"the watch over the system failed: {error!r}")


def _sequence(status: Mapping[str, Any]) -> object:
    data = status.get("data")
    return data.get("sequence") if isinstance(data, Mapping) else None
