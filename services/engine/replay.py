"""Run the engine on recordings: a lossless feed by credit, simulated exchanges beside the engine, virtual time."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, final

from services.engine.counts import EngineCounts
from services.engine.journal import AuditJournal
from services.engine.status import engine_status
from services.runtime import Json, Position, Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.engine import Engine
from tradebus.core.market.event import MarketEvent
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.flow import Credit, credit_to_bytes
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes

WINDOW: Final = 8_192
GRANT_STEP: Final = 1_024
CREDIT_PERIOD_S: Final = 0.2
STALLED_PERIODS: Final = 5


@final
class ReplayEngine(Service):
    """The engine in virtual time. It grants the feed credit and asks again for what did not arrive."""

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        engine: Engine,
        journal: AuditJournal,
        counts: EngineCounts,
        letters: DeadLetterBox,
    ) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._engine: Final = engine
        self._journal: Final = journal
        self._counts: Final = counts
        self._letters: Final = letters
        self._bounds: Final = bounds_of(engine.started.index)
        self._loop: Final = VirtualTimeLoop(engine, simulated_exchanges(engine.started), self._sink)
        self._digest: Final = RunDigest()
        self._stream_engine: Final = runtime.settings.journal_id
        self._run: Final = engine.started.run
        self._event_bytes: bytes | None = None
        self._received = 0
        self._granted = 0
        self._resend_from = 0
        self._feed_total: int | None = None
        self._is_finished = False
        self._refused = 0
        self._subscription: Subscription | None = None
        self._writing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen for the feed and grant it its first credit; the journal begins with the first event."""
        self._runtime.spawn(self._letters.run(), "dead letters")
        self._writing = self._runtime.spawn(self._journal.writer.run(), "audit journal")
        self._subscription = await self._bus.subscribe(subjects.md_replay(), self._on_message)
        self._runtime.spawn(self._run_credit(), "credit")

    async def stop(self) -> None:
        """Take nothing new and wait until the journal holds every tick."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        if self._writing is not None and not self._writing.done():
            self._journal.writer.close()
            await self._writing
        await self._letters.drain(1.0)

    def status(self) -> Mapping[str, Json]:
        """Return where the replay stands; ``is_finished`` only when every tick is on disk."""
        is_durable = self._journal.durable_sequence == self._engine.sequence - 1
        data = engine_status(self._engine, self._journal, self._counts, self._stream_engine)
        data["digest"] = self._digest.hexdigest()
        data["events_received"] = self._received
        data["feed_total"] = self._feed_total
        data["is_finished"] = self._is_finished and is_durable
        data["refused"] = self._refused
        data["dead_letters"] = self._letters.taken
        return data

    def positions(self) -> Sequence[Position]:
        """Return how far the audit journal is on disk."""
        return [
            Position(subjects.audit(self._stream_engine), self._engine.epoch, max(self._journal.durable_sequence, 0))
        ]

    def _sink(self, tick: AuditTick) -> None:
        self._digest.add(tick)
        self._counts.add(tick)
        is_feed = isinstance(tick.event, MarketEvent)
        self._journal.record(tick, self._event_bytes if is_feed else None)

    def _on_message(self, message: Message) -> Awaitable[None] | None:
        try:
            batch = market_batch_from_bytes(message.payload, self._bounds)
        except DecodeError as error:
            self._refused += 1
            self._letters.put(message.subject, message.payload, str(error))
            return None
        self._take(batch)
        if self._journal.is_behind:
            return self._wait()
        self._grant()
        return None

    def _take(self, batch: MarketBatch) -> None:
        head = batch.head
        if head.sequence > self._received + 1:
            # A batch was lost on the way: ask for it once, and for nothing while it is on its way.
            if self._resend_from != self._received + 1:
                self._resend_from = self._received + 1
                self._send_credit()
            return
        seen = self._received + 1 - head.sequence
        for item, event_bytes in zip(batch.items[seen:], batch.encoded[seen:], strict=True):
            self._received += 1
            if not isinstance(item, MarketEvent):
                continue
            self._event_bytes = event_bytes
            try:
                self._loop.feed(item)
            except InvalidEvent as error:
                self._refused += 1
                self._letters.put(subjects.md_replay(), event_bytes, str(error))
        self._resend_from = 0
        if head.is_last:
            self._feed_total = head.feed_total
        if self._feed_total is not None and self._received >= self._feed_total and not self._is_finished:
            self._is_finished = True
            self._loop.finish()
            self._send_credit()
            self._runtime.log.info(
                "replay finished", events=self._loop.events, ticks=self._counts.ticks, fills=self._counts.fills
            )

    async def _wait(self) -> None:
        await self._journal.wait_ready()
        self._grant()

    def _grant(self) -> None:
        granted = self._received + WINDOW
        if granted - self._granted >= GRANT_STEP:
            self._granted = granted
            self._send_credit()

    def _send_credit(self) -> None:
        credit = Credit(self._run, self._granted, self._received, self._resend_from)
        self._bus.publish(subjects.flow(self._stream_engine), credit_to_bytes(credit))

    async def _run_credit(self) -> None:
        """Repeat the credit now and then, because a message may be lost; ask again when nothing comes any more."""
        last = -1
        still = 0
        self._granted = WINDOW
        while not self._is_finished:
            still = still + 1 if self._received == last else 0
            last = self._received
            if still >= STALLED_PERIODS:
                still = 0
                self._resend_from = self._received + 1
            self._send_credit()
            self._counts.publish(self._engine.sequence - 1, self._journal.durable_sequence, self._journal.pending)
            await asyncio.sleep(CREDIT_PERIOD_S)
