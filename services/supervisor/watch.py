"""Look after a running system: the broker's life, the services' health, the size of the logs."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, final

from services.supervisor.broker import Broker
from services.supervisor.keeper import Keeper
from services.supervisor.logfiles import rotate
from services.supervisor.probe import Answer, Probe
from services.supervisor.progress import Progress
from services.supervisor.restarts import Crashes, RestartPolicy
from tradebus.bus.server import ServerError

PERIOD_S: Final = 1.0
MEND_PERIOD_S: Final = 5.0
"""A server that could not write is not started anew more often."""

WRITE_ERROR: Final = "write error"
"""How nats-server tells of a stream that it could not write, and does not write any more until it is started anew."""


@final
class Watch:
    """Starts the broker again when it dies, says when a service's health changes, bounds the logs.

    `on_given_up` is called with a reason when the broker cannot be kept running. `broker` is None where the server is
    somebody else's.
    """

    def __init__(
        self,
        broker: Broker | None,
        keepers: Mapping[str, Keeper],
        urls: Mapping[str, str],
        probe: Probe,
        policy: RestartPolicy,
        progress: Progress,
        on_given_up: Callable[[str], None],
    ) -> None:
        self.wants_broker = True
        """Whether a dead broker is to be started again."""
        self._broker: Final = broker
        self._keepers: Final = keepers
        self._urls: Final = urls
        self._probe: Final = probe
        self._progress: Final = progress
        self._on_given_up: Final = on_given_up
        self._crashes: Final = Crashes(policy)
        self._told: Final[dict[str, Answer]] = {}
        self._is_full_told = False
        self._mend_not_before_s = 0.0
        self._started_s: Final = asyncio.get_running_loop().time()

    async def ask(self, name: str) -> Answer:
        """Return how a service is, and tell the person when it became ready, or is no longer."""
        answer = await self._probe.ready(self._urls[name])
        before = self._told.get(name)
        # How it gets there for the first time is no news; that it is there is.
        if before == answer or (before is None and not answer.ready):
            return answer
        self._told[name] = answer
        if answer.ready:
            seconds = asyncio.get_running_loop().time() - self._started_s
            self._progress.tell(name, "ready", f"{seconds:.1f} s")
        else:
            self._progress.warn(name, answer.state, "; ".join(answer.reasons.values()))
        return answer

    async def run(self) -> None:
        """Look after everything until cancelled."""
        while True:
            await self._revive_broker()
            await self._mend_broker()
            for name, keeper in self._keepers.items():
                rotate(keeper.log_file)
                if keeper.pid is not None:
                    await self.ask(name)
            await asyncio.sleep(PERIOD_S)

    async def _revive_broker(self) -> None:
        broker = self._broker
        if broker is None or broker.is_running or not self.wants_broker:
            return
        if not broker.has_room:
            self._tell_full("crashed")
            return
        wait_s = self._crashes.add(asyncio.get_running_loop().time())
        if wait_s is None:
            self.wants_broker = False
            self._on_given_up(f"nats-server crashed too often; giving up. Its log: {broker.log_file}")
            return
        self._progress.warn("nats", "crashed", f"again in {wait_s:g} s ({broker.log_file})")
        await asyncio.sleep(wait_s)
        self._start(broker)

    async def _mend_broker(self) -> None:
        """Start the server anew that could not write and has room now: its streams do not recover by themselves."""
        broker = self._broker
        if broker is None or broker.monitoring_url is None or not self.wants_broker or not broker.is_running:
            return
        trouble = await self._probe.broker_trouble(broker.monitoring_url)
        if WRITE_ERROR not in trouble:
            return
        if not broker.has_room:
            self._tell_full("cannot write")
            return
        now_s = asyncio.get_running_loop().time()
        if now_s < self._mend_not_before_s:
            return
        self._mend_not_before_s = now_s + MEND_PERIOD_S
        self._progress.warn("nats", "cannot write", f"there is room again, started anew ({trouble})")
        broker.stop()
        self._start(broker)

    def _start(self, broker: Broker) -> None:
        try:
            broker.start()
        except (ServerError, OSError) as error:
            self._progress.warn("nats", "failed", str(error))
        else:
            self._is_full_told = False
            self._progress.tell("nats", "up", broker.url)

    def _tell_full(self, state: str) -> None:
        if not self._is_full_told:
            self._is_full_told = True
            self._progress.warn("nats", state, "its disk is full; it is started again when there is room")
