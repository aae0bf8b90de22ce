"""Take market data off the bus and into the engine: checked, in order, gaps and silence told before later data."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from services.engine.conflator import Conflator
from services.engine.shards import Shards, StalePublisher
from tradebus.bus.message import Message
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import parse_exchange_id
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.heartbeat import Heartbeat
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes

WAITING_MAX: Final = 50_000


class Engine(Protocol):
    """What the inlet needs of the engine's loop."""

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object:
        """Process an event now."""


class Pressure(Protocol):
    """What the inlet needs of the journal."""

    @property
    def is_behind(self) -> bool:
        """Tell whether ticks wait that the journal has not taken."""

    async def wait_ready(self) -> None:
        """Return when it is not behind any more."""


Reject = Callable[[str, bytes, str], None]
"""Keeps what cannot be used: subject, payload, reason."""


@final
class MarketInlet:
    """Handles messages of ``md.>``. While the journal is behind, events wait and books are conflated."""

    def __init__(
        self,
        index: IndexedInstruments,
        engine: Engine,
        journal: Pressure,
        reject: Reject,
        silence_ns: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._index: Final = index
        self._bounds: Final = bounds_of(index)
        self._engine: Final = engine
        self._journal: Final = journal
        self._reject: Final = reject
        self._clock: Final = clock
        self.shards: Final = Shards(silence_ns)
        self.waiting: Final = Conflator(WAITING_MAX)
        self.batches = 0
        self.refused = 0

    def on_message(self, message: Message) -> Awaitable[None] | None:
        """Take in a batch; returns something to wait for when no more should be handed over for now."""
        try:
            batch = market_batch_from_bytes(message.payload, self._bounds)
            before, seen = self._note(message.subject, batch)
        except (DecodeError, StalePublisher, ValueError, LookupError) as error:
            self.refused += 1
            self._reject(message.subject, message.payload, str(error))
            return None
        self.batches += 1
        for event in before:
            self._flush_waiting()
            self._step(event)
        encoded = batch.encoded or (None,) * len(batch.items)
        for item, event_bytes in zip(batch.items[seen:], encoded[seen:], strict=True):
            if isinstance(item, MarketEvent):
                gap = self.shards.gap_before(message.subject, item)
                if gap is not None:
                    self._flush_waiting()
                    self._step(gap)
                self._take(item, event_bytes)
            else:
                self._flush_waiting()
                self._step(item, event_bytes)
        if self.waiting:
            if not self._journal.is_behind:
                self._flush_waiting()
            elif self.waiting.is_full:
                return self._wait()
        return None

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Take in a market service's heartbeat: what it says was sent must have come."""
        for position in heartbeat.positions:
            event = self.shards.heard(
                position.subject, heartbeat.instance, position.epoch, position.sequence, self._clock()
            )
            if event is not None:
                self._flush_waiting()
                self._step(event)

    def idle(self) -> None:
        """Tell of feeds that fell silent, and process what waited for the journal."""
        if self.waiting and not self._journal.is_behind:
            self._flush_waiting()
        for event in self.shards.silent(self._clock()):
            self._flush_waiting()
            self._step(event)

    def _note(self, subject: str, batch: MarketBatch) -> tuple[list[EngineEvent], int]:
        head = batch.head
        named = subjects.md(head.exchange, head.shard)
        if subject != named:
            raise ValueError(f"expected a batch of {subject}, found one of {named}")
        exchange = self._index.find_exchange_index(parse_exchange_id(head.exchange))
        return self.shards.begin_batch(
            subject, exchange, head.publisher, head.publisher_epoch, head.sequence, len(batch.items), self._clock()
        )

    def _take(self, event: MarketEvent, event_bytes: bytes | None) -> None:
        if self.waiting or self._journal.is_behind:
            self.waiting.add(event, event_bytes)
        else:
            self._step(event, event_bytes)

    def _flush_waiting(self) -> None:
        for event, event_bytes in self.waiting.take():
            self._step(event, event_bytes)

    async def _wait(self) -> None:
        await self._journal.wait_ready()
        self._flush_waiting()

    def _step(self, event: EngineEvent, event_bytes: bytes | None = None) -> None:
        """Process an event; one that does not fit the index is kept as a dead letter and disturbs nothing else."""
        try:
            self._engine.step(event, event_bytes)
        except InvalidEvent as error:
            self.refused += 1
            self._reject("market event", event_bytes or b"", str(error))
