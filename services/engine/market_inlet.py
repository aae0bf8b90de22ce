"""Take market data off the bus and into the engine: checked, in order, gaps and silence told before later data."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

from structlog.stdlib import BoundLogger

from services.engine.conflator import Conflator, Waiting
from services.engine.intake import Reject, RunLoop
from services.engine.shards import Shards, StalePublisher
from services.runtime.pressure import Pressure
from tradebus.bus.interface import PENDING_MESSAGES_MAX, Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import parse_exchange_id
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.heartbeat import heartbeat_from_bytes
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes

WAITING_MAX: Final = 50_000
"""Events that wait here; beyond it messages wait on the bus, and beyond its bound the newest are dropped."""

LATE_MESSAGES: Final = PENDING_MESSAGES_MAX // 8
"""So many messages on the bus, and books are conflated: the engine itself is too slow, not its journal."""

EVENTS_PER_TURN: Final = 256
"""So many events, and everything else in the loop gets a turn: the journal takes at most a batch a turn, which must be
more than we put into it, or the busier we are the slower it would be."""


class Journal(Protocol):
    """What the inlet needs of the journal."""

    @property
    def is_behind(self) -> bool:
        """Tell whether ticks wait that the journal has not taken."""

    @property
    def pressure(self) -> Pressure:
        """Return what holds us up while it is behind."""


@final
class MarketInlet:
    """Handles ``md.>`` and the heartbeats of market services. ``run`` is the task that processes what had to wait.

    While the journal is behind, or the bus delivers more than we can process, events wait and books are conflated.
    ``clock`` measures silence.
    """

    def __init__(
        self,
        bus: Bus,
        index: IndexedInstruments,
        loop: RunLoop,
        journal: Journal,
        reject: Reject,
        silence_ns: int,
        clock: Callable[[], int],
        log: BoundLogger,
    ) -> None:
        self._bus: Final = bus
        self._index: Final = index
        self._bounds: Final = bounds_of(index)
        self._loop: Final = loop
        self._journal: Final = journal
        self._reject: Final = reject
        self._clock: Final = clock
        self._log: Final = log
        self._shards: Final = Shards(silence_ns)
        self._waiting: Final = Conflator(WAITING_MAX)
        self._room: Final = Pressure(lambda: self._waiting.is_full)
        self._arrived: Final = asyncio.Event()
        self._batches_in: Subscription | None = None
        self._beats_in: Subscription | None = None
        self._is_late = False
        self._in_turn = 0
        self._stale_publishers: Final[set[str]] = set()
        self.batches = 0
        self.refused = 0

    @property
    def gaps(self) -> int:
        """Return how often something was found missing."""
        return self._shards.gaps

    @property
    def lost(self) -> int:
        """Return how many items of market data never came."""
        return self._shards.lost

    @property
    def conflated(self) -> int:
        """Return how many books were replaced by newer ones before they were processed."""
        return self._waiting.conflated

    @property
    def waiting(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    async def start(self) -> None:
        """Listen."""
        self._batches_in = await self._bus.subscribe(subjects.md_all(), self._on_batch)
        self._beats_in = await self._bus.subscribe(subjects.hb_service("market"), self._on_heartbeat)

    async def stop(self) -> None:
        """Listen no more; what waits is left: market data that nobody acts on any more are worth nothing."""
        self._room.release()
        for subscription in (self._batches_in, self._beats_in):
            if subscription is not None:
                await subscription.unsubscribe()

    async def run(self) -> None:
        """Process what had to wait as soon as the journal takes it, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._journal.pressure.wait()
                self._step_waiting(self._waiting.take(EVENTS_PER_TURN))
                self._room.eased()
                await asyncio.sleep(0)

    def idle(self) -> None:
        """Tell of what is missing and of feeds that fell silent; to be called regularly."""
        now_ns = self._clock()
        inbox = self._inbox()
        self._is_late = inbox >= LATE_MESSAGES
        for event in self._shards.overdue(now_ns, is_inbox_empty=not inbox):
            self._take(event)
        for event in self._shards.silent(now_ns):
            self._take(event)

    # ------------------------------------------------------------------------------ what comes in

    def _on_batch(self, message: Message) -> Awaitable[None] | None:
        """Take in a batch; returns something to wait for when no more should be handed over for now."""
        subject = message.subject
        self._is_late = self._inbox() >= LATE_MESSAGES
        try:
            batch = market_batch_from_bytes(message.payload, self._bounds)
            before = self._note(subject, batch)
        except StalePublisher as error:
            self._refuse_stale(error)
            return None
        except (DecodeError, ValueError, LookupError) as error:
            self.refused += 1
            self._reject(subject, message.payload, str(error))
            return None
        self.batches += 1
        for event in before:
            self._take(event, None, subject)
        items, contents, place = batch.items, batch.encoded, 0
        while place < len(items):
            behind = self._shards.following(subject, items, place)
            if behind > place:
                self._take_run(items[place:behind], contents[place:behind], subject)
            if behind < len(items):
                item = items[behind]
                if isinstance(item, MarketEvent):
                    gap = self._shards.gap_before(subject, item)
                    if gap is not None:
                        self._take(gap, None, subject)
                self._take(item, contents[behind], subject)
            place = behind + 1
        return self._pause(len(batch.items))

    def _note(self, subject: str, batch: MarketBatch) -> list[EngineEvent]:
        head = batch.head
        named = subjects.md(head.exchange, head.shard)
        if subject != named:
            raise ValueError(f"expected a batch of {subject}, found one of {named}")
        exchange = self._index.find_exchange_index(parse_exchange_id(head.exchange))
        return self._shards.begin_batch(
            subject, exchange, head.publisher, head.publisher_epoch, head.sequence, len(batch.items), self._clock()
        )

    def _refuse_stale(self, error: StalePublisher) -> None:
        """Count what a replaced publisher still sends; it is well-formed, only late, and not worth keeping."""
        self.refused += 1
        if error.publisher not in self._stale_publishers:
            self._stale_publishers.add(error.publisher)
            self._log.warning("batches of a replaced publisher are refused", reason=str(error))

    def _pause(self, events: int) -> Awaitable[None] | None:
        if self._waiting.is_full:
            return self._room.wait()
        self._in_turn += events
        if self._in_turn >= EVENTS_PER_TURN:
            self._in_turn = 0
            return asyncio.sleep(0)
        return None

    def _on_heartbeat(self, message: Message) -> None:
        try:
            heartbeat = heartbeat_from_bytes(message.payload)
        except DecodeError as error:
            self.refused += 1
            self._reject(message.subject, message.payload, str(error))
            return
        for position in heartbeat.positions:
            self._shards.heard(position.subject, heartbeat.instance, position.epoch, position.sequence, self._clock())

    # ------------------------------------------------------------------------------ what goes on

    def _take(self, event: EngineEvent, encoded: bytes | None = None, subject: str = "") -> None:
        """Process an event now, or let it wait behind those that do."""
        if self._must_wait:
            self._waiting.add(event, encoded, subject)
            self._arrived.set()
        else:
            self._step(event, encoded, subject)

    def _take_run(self, items: tuple[EngineEvent, ...], contents: tuple[bytes, ...], subject: str) -> None:
        """Process market events of a batch now, or let them wait behind those that do."""
        events = [item for item in items if isinstance(item, MarketEvent)]
        if self._must_wait:
            for event, encoded in zip(events, contents, strict=True):
                self._waiting.add(event, encoded, subject)
            self._arrived.set()
        else:
            self._step_run(events, list(contents), [subject] * len(events))

    @property
    def _must_wait(self) -> bool:
        return bool(self._waiting) or self._journal.is_behind or self._is_late

    def _inbox(self) -> int:
        return 0 if self._batches_in is None else self._batches_in.pending

    def _step_waiting(self, taken: list[Waiting]) -> None:
        """Process what had to wait, market events on end as far as there is nothing between them."""
        place = 0
        while place < len(taken):
            events: list[MarketEvent] = []
            contents: list[bytes] = []
            subjects_of: list[str] = []
            for event, encoded, subject in taken[place:]:
                if encoded is None or not isinstance(event, MarketEvent):
                    break
                events.append(event)
                contents.append(encoded)
                subjects_of.append(subject)
            self._step_run(events, contents, subjects_of)
            place += len(events)
            if place < len(taken):
                self._step(*taken[place])
                place += 1

    def _step_run(self, events: list[MarketEvent], contents: list[bytes], subjects_of: list[str]) -> None:
        """Process market events, on end where they fit into a run."""
        place = 0
        while place < len(events):
            place = self._loop.step_run(events, contents, place)
            if place < len(events):
                self._step(events[place], contents[place], subjects_of[place])
                place += 1

    def _step(self, event: EngineEvent, encoded: bytes | None, subject: str) -> None:
        """Process an event; one that does not fit the index is kept as a dead letter and disturbs nothing else."""
        try:
            self._loop.step(event, encoded)
        except InvalidEvent as error:
            self.refused += 1
            self._reject(subject, encoded or b"", str(error))
