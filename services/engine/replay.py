"""Run the engine on recordings: a lossless feed by credit, simulated exchanges beside the engine, virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, final

from services.engine.journaled import JournaledEngine
from services.engine.replay_resuming import BegunReplay
from services.runtime import Json, Position, Service
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.check import InvalidEvent
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

INBOX_MESSAGES: Final = 2 * WINDOW
"""A message may hold one event only, and what is sent again comes beside what was under way."""


class OtherFeed(Exception):
    """A feed that is not the one that the journal was made from; the message names the event."""


@final
class ReplayEngine(Service):
    """The engine in virtual time. It grants the feed credit and asks again for what did not arrive.

    ``on_end`` is called with what made the engine fail; then nothing more is taken in. ``begun`` is what an earlier
    process of this run left. The last event in its journal is asked for once more: it shows that the feed is the same.
    """

    def __init__(
        self,
        base: JournaledEngine,
        bus: Bus,
        on_end: Callable[[AuditTick | Exception], None],
        begun: BegunReplay | None = None,
    ) -> None:
        self._base: Final = base
        self._bus: Final = bus
        self._on_end: Final = on_end
        started = base.engine.started
        self._bounds: Final = bounds_of(started.index)
        run = None if begun is None else begun.run
        exchanges = simulated_exchanges(started) if run is None else run.exchanges
        self._loop: Final = VirtualTimeLoop(base.engine, exchanges, self._sink, run)
        self._digest: Final = RunDigest() if begun is None else begun.digest
        self._flow: Final = subjects.flow(base.runtime.settings.journal_id)
        self._run: Final = started.run
        self._event_bytes: bytes | None = None
        self._journaled: MarketEvent | None = None if run is None else run.last
        self._received = 0 if run is None or run.last is None else run.feed_position - 1
        self._granted = self._received + WINDOW
        self._asked_from = 0
        self._feed_total: int | None = None
        self._is_finished = False
        self._is_failed = False
        self._refused = 0
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen for the feed and grant it its first credit; the journal begins with the first event."""
        self._base.start()
        self._loop.go_on()
        self._subscription = await self._bus.subscribe(
            subjects.md_replay(), self._on_message, pending_messages_max=INBOX_MESSAGES
        )
        self._base.runtime.spawn(self._run_credit(), "credit")

    async def stop(self) -> None:
        """Take nothing new and wait until the journal holds every tick."""
        self._base.journal.pressure.release()
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        await self._base.finish()

    def status(self) -> Mapping[str, Json]:
        """Return where the replay stands; ``is_finished`` only when every tick is on disk."""
        is_durable = self._base.journal.durable_sequence == self._base.engine.sequence - 1
        data = self._base.status()
        data["digest"] = self._digest.hexdigest()
        data["events_received"] = self._received
        data["feed_total"] = self._feed_total
        data["is_finished"] = self._is_finished and is_durable
        data["refused"] = self._refused
        return data

    def positions(self) -> Sequence[Position]:
        """Return how far the audit journal is on disk."""
        return self._base.positions()

    def _sink(self, tick: AuditTick) -> None:
        self._digest.add(tick)
        is_feed = isinstance(tick.event, MarketEvent)
        self._base.record(tick, self._event_bytes if is_feed else None)

    def _on_message(self, message: Message) -> Awaitable[None] | None:
        if self._is_failed:
            return None
        try:
            batch = market_batch_from_bytes(message.payload, self._bounds)
        except DecodeError as error:
            self._refused += 1
            self._base.letters.put(message.subject, message.payload, str(error))
            return None
        try:
            self._take(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine ends with it
            self._is_failed = True
            self._base.lose_state()
            self._on_end(error)
            return None
        if self._base.journal.is_behind:
            return self._wait()
        self._grant()
        return None

    def _take(self, batch: MarketBatch) -> None:
        head = batch.head
        if head.sequence > self._received + 1:
            # A batch was lost on the way: ask for it once, what follows is on its way already.
            if self._asked_from != self._received + 1:
                self._ask_again()
            return
        seen = self._received + 1 - head.sequence
        for item, event_bytes in zip(batch.items[seen:], batch.encoded[seen:], strict=True):
            self._received += 1
            if not isinstance(item, MarketEvent):
                continue
            if self._journaled is not None:
                self._check_feed(item, self._journaled)
                self._journaled = None
                continue
            self._event_bytes = event_bytes
            try:
                self._loop.feed(item)
            except InvalidEvent as error:
                self._refused += 1
                self._base.letters.put(subjects.md_replay(), event_bytes, str(error))
        if head.is_last:
            self._feed_total = head.feed_total
        if self._feed_total is not None and self._received >= self._feed_total and not self._is_finished:
            self._finish()

    def _check_feed(self, found: MarketEvent, journaled: MarketEvent) -> None:
        """Compare the first event that comes with the last one that is journaled. Raises OtherFeed."""
        if found != journaled:
            raise OtherFeed(
                f"event {journaled.sequence} of the feed: expected {journaled!r} as in the journal, found {found!r}; "
                "a replay goes on only with the recordings that it began with"
            )

    def _finish(self) -> None:
        self._loop.finish()
        self._is_finished = True
        self._send_credit()
        counts = self._base.counts
        self._base.runtime.log.info("replay finished", events=self._loop.events, ticks=counts.ticks, fills=counts.fills)

    async def _wait(self) -> None:
        await self._base.journal.pressure.wait()
        self._grant()

    def _grant(self) -> None:
        granted = self._received + WINDOW
        if granted - self._granted >= GRANT_STEP:
            self._granted = granted
            self._send_credit()

    def _ask_again(self) -> None:
        self._asked_from = self._received + 1
        self._send_credit(self._asked_from)

    def _send_credit(self, resend_from: int = 0) -> None:
        credit = Credit(self._run, self._granted, self._received, resend_from)
        self._bus.publish(self._flow, credit_to_bytes(credit))

    async def _run_credit(self) -> None:
        """Repeat the credit now and then, because a message may be lost; ask again when nothing comes any more."""
        last = -1
        still = 0
        while not self._is_finished:
            still = still + 1 if self._received == last else 0
            last = self._received
            if still >= STALLED_PERIODS and not self._base.journal.is_behind:
                still = 0
                self._ask_again()
            else:
                self._send_credit()
            self._base.publish_metrics()
            await asyncio.sleep(CREDIT_PERIOD_S)
        self._base.publish_metrics()
