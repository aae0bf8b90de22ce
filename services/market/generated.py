"""Run a simulated exchange: publish what its order flow says is due, by the wall clock."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol, final

from structlog.stdlib import BoundLogger

from services.market.feed import Feed
from services.market.flow import FlowParams, LoopedFlow, OrderFlow
from services.market.publisher import ShardPublisher
from services.runtime import Json, Position
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments

LOOP_ABOVE_EVENTS_PER_S: Final = 5_000
"""Faster flows repeat a stretch made beforehand, at an even pace: for measurements, on a fraction of a core."""

STRETCH_EVENTS: Final = 20_000

_NS: Final = 1_000_000_000
_WAKE_NS_MIN: Final = 5_000_000
_WAKE_NS_MIN_FAST: Final = 1_000_000  # uvloop counts in milliseconds: a shorter sleep is a busy loop
_WAKE_NS_MAX: Final = 20_000_000
_SLICE_NS: Final = 20_000_000  # of flow made between two looks at the event loop
_PAUSE_NS_MAX: Final = _NS

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


class Flow(Protocol):
    """What can be driven: see ``OrderFlow`` and ``LoopedFlow``."""

    @property
    def next_ns(self) -> int:
        """When the next event is due."""

    def next(self, until_ns: int, received_ns: int | None = None) -> list[MarketEvent]:
        """Return the events up to and including ``until_ns``."""

    def resume_at(self, time_ns: int) -> None:
        """Go on at ``time_ns``."""


def make_flow(index: IndexedInstruments, exchange: ExchangeId, seed: int, params: FlowParams, start_ns: int) -> Flow:
    """Return the flow of an exchange, cheap to run where it is fast."""
    flow = OrderFlow(index, exchange, seed, params, start_ns=start_ns)
    if params.events_per_s <= LOOP_ABOVE_EVENTS_PER_S:
        return flow
    return LoopedFlow(flow.take(STRETCH_EVENTS), params.events_per_s, start_ns=start_ns)


@final
class GeneratedFeed(Feed):
    """The feed of one simulated exchange. ``make(start_ns)`` gives its flow; ``clock`` the time since the epoch, ns."""

    def __init__(
        self,
        exchange: ExchangeId,
        index: IndexedInstruments,
        make: Callable[[int], Flow],
        publisher: ShardPublisher,
        spawn: Spawn,
        log: BoundLogger,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._exchange: Final = exchange
        self._exchange_index: Final = index.find_exchange_index(exchange)
        self._make: Final = make
        self._publisher: Final = publisher
        self._spawn: Final = spawn
        self._log: Final = log
        self._clock: Final = clock
        self._task: asyncio.Task[None] | None = None
        self._pauses = 0
        self._wake_ns_min = _WAKE_NS_MIN

    @property
    def name(self) -> str:
        """Return the exchange's name."""
        return self._exchange.value

    async def start(self) -> None:
        """Make the flow, which takes a moment for a fast one, and begin to publish it."""
        flow = self._make(self._clock())
        flow.resume_at(self._clock())
        if isinstance(flow, LoopedFlow):
            # Who measures wants small, even batches more than an idle processor.
            self._wake_ns_min = _WAKE_NS_MIN_FAST
        self._task = self._spawn(self._run(flow), f"generator {self.name}")

    async def stop(self) -> None:
        """Stop generating and publish what was made."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._publisher.close()

    def status(self) -> Mapping[str, Json]:
        """Return how much was made."""
        publisher = self._publisher
        return {
            "source": "generator",
            "connected": self._task is not None and not self._task.done(),
            "items": publisher.sequence,
            "items_dropped": publisher.dropped,
            "pauses": self._pauses,
        }

    def positions(self) -> Sequence[Position]:
        """Return the last number published."""
        return [self._publisher.position]

    async def _run(self, flow: Flow) -> None:
        made_ns = self._clock()
        while True:
            now_ns = self._clock()
            if not -_PAUSE_NS_MAX <= now_ns - made_ns <= _PAUSE_NS_MAX:
                self._pause(flow, made_ns, now_ns)
                made_ns = now_ns
            # In slices, so that a moment's delay does not become a longer one for everybody else.
            until_ns = min(now_ns, made_ns + _SLICE_NS)
            self._publisher.add_all(flow.next(until_ns, self._clock()))
            made_ns = max(made_ns, until_ns)
            if made_ns < now_ns:
                await asyncio.sleep(0)
                continue
            wait_ns = min(max(flow.next_ns - self._clock(), self._wake_ns_min), _WAKE_NS_MAX)
            await asyncio.sleep(wait_ns / _NS)

    def _pause(self, flow: Flow, made_ns: int, now_ns: int) -> None:
        """Go on now, and say so: the machine slept, was overloaded, or its clock was set."""
        self._pauses += 1
        milliseconds = (now_ns - made_ns) // 1_000_000
        reason = f"the generator's clock moved by {milliseconds} ms"
        self._log.warning("generator paused", exchange=self.name, clock_moved_ms=milliseconds)
        self._publisher.reconnecting(MarketReconnecting(self._exchange_index, reason))
        flow.resume_at(now_ns)
