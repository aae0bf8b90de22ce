"""What tests need around the market service's feeds: a listener, a replaying engine, tasks, a log."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Self, cast

from structlog.stdlib import BoundLogger

from services.market.metrics import MarketMetrics
from services.market.publisher import PublisherIdentity
from services.runtime.metrics import Metrics
from tradebus.bus.interface import Bus
from tradebus.bus.message import Message
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.flow import Credit, credit_to_bytes
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes


def market_metrics() -> MarketMetrics:
    """Return metrics of their own for one test."""
    return MarketMetrics(Metrics().registry)


def identity_of(index: IndexedInstruments, *, epoch: int = 1) -> PublisherIdentity:
    """Return a publisher for tests."""
    return PublisherIdentity("market-test", epoch, index.fingerprint())


class BatchListener:
    """Takes market batches off a bus and keeps them."""

    def __init__(self, index: IndexedInstruments) -> None:
        self.batches: list[tuple[str, MarketBatch]] = []
        self._bounds = bounds_of(index)

    @classmethod
    async def on(cls, bus: Bus, index: IndexedInstruments) -> Self:
        """Return one that listens to all market data."""
        listener = cls(index)
        await bus.subscribe(subjects.md_all(), listener.take, pending_messages_max=100_000)
        return listener

    def take(self, message: Message) -> None:
        self.batches.append((message.subject, market_batch_from_bytes(message.payload, self._bounds)))

    @property
    def items(self) -> list[MarketEvent | MarketReconnecting]:
        return [item for _, batch in self.batches for item in batch.items]

    @property
    def events(self) -> list[MarketEvent]:
        return [item for item in self.items if isinstance(item, MarketEvent)]

    @property
    def markers(self) -> list[MarketReconnecting]:
        return [item for item in self.items if isinstance(item, MarketReconnecting)]


class ReplayEngine:
    """Takes a replay as an engine does: grants credit, follows the sequence, asks again for what is missing.

    ``loses`` is asked for each batch, by the number of its delivery, whether it is lost on the way.
    """

    def __init__(
        self,
        bus: Bus,
        index: IndexedInstruments,
        *,
        engine_id: str = "replay",
        run: str = "run",
        ahead: int = 256,
        loses: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self.events: list[MarketEvent] = []
        self.delivered = 0
        self.repeated = 0
        self.asked_again = 0
        self.total: int | None = None
        self._bus = bus
        self._bounds = bounds_of(index)
        self._subject = subjects.flow(engine_id)
        self._run = run
        self._ahead = ahead
        self._loses = loses
        self._granted = 0

    async def listen(self) -> None:
        """Subscribe to the feed."""
        await self._bus.subscribe(subjects.md_replay(), self.take, pending_messages_max=100_000)

    def grant(self, *, resend_from: int = 0) -> None:
        """Say what is allowed and what arrived."""
        through = len(self.events)
        self._granted = max(self._granted, through + self._ahead)
        credit = Credit(self._run, self._granted, through, resend_from)
        self._bus.publish(self._subject, credit_to_bytes(credit))

    def ask_again(self) -> None:
        """Ask for everything after what arrived."""
        self.asked_again += 1
        self.grant(resend_from=len(self.events) + 1)

    @property
    def is_complete(self) -> bool:
        return self.total is not None and len(self.events) == self.total

    def take(self, message: Message) -> None:
        self.delivered += 1
        if self._loses(self.delivered):
            return
        batch = market_batch_from_bytes(message.payload, self._bounds)
        missing = batch.head.sequence - len(self.events) - 1
        if missing > 0:
            self.ask_again()
            return
        fresh = batch.items[-missing:] if missing else batch.items
        self.repeated += len(batch.items) - len(fresh)
        self.events += [cast("MarketEvent", item) for item in fresh]
        if batch.head.is_last:
            self.total = batch.head.feed_total
        if fresh and len(self.events) + self._ahead // 2 > self._granted:
            self.grant()

    async def finish(self, limit_s: float = 15.0, *, patience_s: float = 0.001) -> None:
        """Follow the replay to its end; what is missing is asked for again after ``patience_s`` without any news."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        self.grant()
        seen, since_s = -1, loop.time()
        while not self.is_complete:
            now_s = loop.time()
            if now_s > deadline:
                raise AssertionError(f"not complete within {limit_s:g} s: {len(self.events)} of {self.total}")
            if self.delivered != seen:
                seen, since_s = self.delivered, now_s
            elif now_s - since_s >= patience_s:
                since_s = now_s
                self.ask_again()
            await asyncio.sleep(0.001)


class Tasks:
    """Runs background work as the runtime does; ``end`` raises what went wrong in it."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
                raise outcome


class KeptLog:
    """A log that keeps its lines: level, text, fields."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def info(self, text: str, **fields: object) -> None:
        self.lines.append(("info", text, fields))

    def warning(self, text: str, **fields: object) -> None:
        self.lines.append(("warning", text, fields))

    def error(self, text: str, **fields: object) -> None:
        self.lines.append(("error", text, fields))

    def of(self, text: str) -> list[dict[str, object]]:
        """Return the fields of the lines that begin with a text."""
        return [fields for _, line, fields in self.lines if line.startswith(text)]

    @property
    def bound(self) -> BoundLogger:
        return cast("BoundLogger", self)
