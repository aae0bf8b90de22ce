"""Publish recordings without loss: never more than the engine has allowed, and again what did not arrive.

The engine says on ``flow.<journal>`` how many events it has granted in all, through which one everything has arrived,
and from which one on it wants them once more. Nothing is sent before its first word, so it may start after the feed.
A bus over NATS may lose what was on its way when a server restarts; so what has not been confirmed is kept, at most as
much as was granted, and sent again only when asked for. What was confirmed and is asked for all the same, as by an
engine that starts over, is read again from the files.

An event's number in the batch is its ``sequence``, the position in the merged feed. So a feed that is restarted goes on
after the last confirmed one, and the engine needs no other number.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice
from typing import Any, Final, final

from structlog.stdlib import BoundLogger

from services.market.feed import Feed
from services.market.metrics import MarketMetrics
from services.market.publisher import PublisherIdentity
from services.market.recording import RecordedEvents
from services.runtime import Json, Position
from services.runtime.dead_letters import DeadLetterBox
from tradebus.bus.batching import BATCH_ITEMS_MAX
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Message
from tradebus.core.market.event import MarketEvent
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.flow import Credit, credit_from_bytes
from tradebus.wire.codec.market import MarketBatchHead, market_batch_join, market_item_frame

_BUS_WAIT_S: Final = 0.05

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]


@final
class ReplayFeed(Feed):
    """The merged feed of a replay's recordings. ``open_recordings`` gives it from its beginning, each time anew."""

    def __init__(
        self,
        bus: Bus,
        journal_id: str,
        run: str | None,
        open_recordings: Callable[[], RecordedEvents],
        identity: PublisherIdentity,
        letters: DeadLetterBox,
        metrics: MarketMetrics,
        spawn: Spawn,
        log: BoundLogger,
    ) -> None:
        """Credit comes on ``flow.<journal_id>``; that of ``run`` counts (None: of the run that the first one names)."""
        self.subject: Final = subjects.md_replay()
        self._bus: Final = bus
        self._flow_subject: Final = subjects.flow(journal_id)
        self._run = run
        self._open: Final = open_recordings
        self._identity: Final = identity
        self._letters: Final = letters
        self._spawn: Final = spawn
        self._log: Final = log
        self._items: Final = metrics.items.labels(subjects.REPLAY)
        self._batches: Final = metrics.batches.labels(subjects.REPLAY)
        self._items_resent: Final = metrics.resent.labels(subjects.REPLAY)

        self._events = open_recordings()
        self._ahead: MarketEvent | None = None
        self._is_begun = False
        self._is_exhausted = False
        self._read = 0  # the last event taken from the recordings
        self._window: deque[bytes] = deque()  # the frames of the last ones read, up to `_read`, not yet confirmed
        self._cursor = 1  # the next event to publish; below `_read` + 1 while something is sent again
        self._highest = 0  # the last event ever published
        self._granted = 0
        self._received_through = 0
        self._resent = 0
        self._foreign_credits = 0
        self._has_credit = False
        self._end_is_said = False
        self._wake: Final = asyncio.Event()
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Return ``replay``."""
        return subjects.REPLAY

    @property
    def is_done(self) -> bool:
        """Whether the engine has confirmed the last event of the last recording."""
        return self._is_exhausted and self._has_credit and self._received_through >= self._read

    async def start(self) -> None:
        """Listen for credit and publish what it allows, in the background."""
        self._subscription = await self._bus.subscribe(self._flow_subject, self._on_credit)
        self._task = self._spawn(self._run_feed(), "replay")

    async def stop(self) -> None:
        """Publish nothing more and close the recordings."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._events.close()

    def status(self) -> Mapping[str, Json]:
        """Return how far the replay is, and the report on the recordings."""
        return {
            "source": "recording",
            "connected": True,
            "run": self._run,
            "granted": self._granted,
            "events_sent": self._highest,
            "events_confirmed": self._received_through,
            "events_resent": self._resent,
            "is_exhausted": self._is_exhausted,
            "is_done": self.is_done,
            "foreign_credits": self._foreign_credits,
            "report": self._events.report.as_data(),
        }

    def positions(self) -> Sequence[Position]:
        """Return the last number published."""
        return [Position(self.subject, self._identity.epoch, self._highest)]

    # ------------------------------------------------------------------------------ credit

    def _on_credit(self, message: Message) -> None:
        try:
            credit = credit_from_bytes(message.payload)
        except DecodeError as error:
            self._letters.put(message.subject, message.payload, str(error))
            return
        if self._run is None:
            self._run = credit.run
        if credit.run != self._run:
            self._foreign_credits += 1
            if self._foreign_credits == 1:
                self._log.warning("credit of another run ignored", expected=self._run, found=credit.run)
            return
        self._take(credit)
        self._wake.set()

    def _take(self, credit: Credit) -> None:
        if not self._has_credit:
            self._log.info("the engine is here", granted=credit.granted, received_through=credit.received_through)
        self._has_credit = True
        self._granted = max(self._granted, credit.granted)
        self._received_through = max(self._received_through, credit.received_through)
        wanted = credit.resend_from
        if 0 < wanted < self._cursor or (wanted and self._end_is_said and self._read == 0):
            self._log.warning("sending again", first=wanted, last=self._cursor - 1)
            # What is asked for again was not received after all, as by an engine that starts over.
            self._received_through = min(self._received_through, wanted - 1)
            self._cursor = min(wanted, self._cursor)
            self._end_is_said = False
        elif self._received_through >= self._cursor:
            # We are the one that started over: the engine has more than we have sent.
            self._cursor = self._received_through + 1
        confirmed = self._received_through - (self._read - len(self._window))
        for _ in range(min(confirmed, len(self._window))):
            self._window.popleft()

    # ------------------------------------------------------------------------------ feed

    async def _run_feed(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._may_send():
                if not await self._seek():
                    continue
                frames = self._next_frames()
                if not self._publish(frames):
                    await self._wait_for_bus()
                await asyncio.sleep(0)

    def _may_send(self) -> bool:
        """Whether something is to be sent and allowed; the end of a feed without any event needs no allowance."""
        if not self._has_credit or self._end_is_said:
            return False
        if self._is_exhausted and self._cursor > self._read:
            return self._read == 0
        return self._cursor <= self._granted or not self._is_begun

    async def _seek(self) -> bool:
        """Bring the recordings to the cursor: forward by reading, back by beginning anew.

        Returns whether the cursor may have changed meanwhile: False asks the caller to look again.
        """
        if not self._is_begun:
            self._is_begun = True
            self._ahead = next(self._events, None)
            self._is_exhausted = self._ahead is None
        cursor = self._cursor
        if cursor <= self._read - len(self._window):
            self._log.info("reading the recordings again", first=cursor)
            self._events.close()
            self._events = self._open()
            self._ahead = next(self._events, None)
            self._is_exhausted = self._ahead is None
            self._read = 0
            self._window.clear()
        while self._read + 1 < cursor and self._ahead is not None:
            self._take_ahead()
            if self._read % BATCH_ITEMS_MAX == 0:
                await asyncio.sleep(0)
        return cursor == self._cursor and self._may_send()

    def _take_ahead(self) -> MarketEvent:
        event = self._ahead
        assert event is not None, "there is a next event"
        self._read = event.sequence
        self._ahead = next(self._events, None)
        if self._ahead is None:
            self._is_exhausted = True
            self._log_end()
        return event

    def _next_frames(self) -> list[bytes]:
        """Return the frames of the next events that are allowed, at most a batch."""
        count = min(self._granted - self._cursor + 1, BATCH_ITEMS_MAX)
        if self._cursor <= self._read:
            start = self._cursor - 1 - (self._read - len(self._window))
            return list(islice(self._window, start, start + count))
        frames: list[bytes] = []
        while len(frames) < count and self._ahead is not None:
            frames.append(market_item_frame(self._take_ahead()))
        self._window.extend(frames)
        return frames

    def _publish(self, frames: list[bytes]) -> bool:
        """Hand a batch to the bus and move on; False leaves everything as it was, to be tried again."""
        last = self._cursor + len(frames) - 1
        is_last = self._is_exhausted and last == self._read
        identity = self._identity
        head = MarketBatchHead(
            identity.publisher,
            identity.epoch,
            subjects.REPLAY,
            0,
            self._cursor,
            identity.index_fingerprint,
            is_last,
            self._read if is_last else 0,
        )
        if not self._bus.publish(self.subject, market_batch_join(head, frames)):
            return False
        again = max(0, min(last, self._highest) - self._cursor + 1)
        self._resent += again
        self._items_resent.inc(again)
        self._items.inc(len(frames))
        self._batches.inc()
        self._highest = max(self._highest, last)
        self._cursor = last + 1
        self._end_is_said = is_last
        return True

    async def _wait_for_bus(self) -> None:
        try:
            await self._bus.flush()
        except BusUnavailable:
            await asyncio.sleep(_BUS_WAIT_S)

    def _log_end(self) -> None:
        report = self._events.report
        self._log.info("recordings read to their end", events=report.events, lines=report.lines, skipped=report.skipped)
        if report.unknown:
            self._log.warning("unknown kinds of frames, skipped", kinds=report.unknown)
        for bad in report.bad_lines:
            self._log.warning("bad line", file=bad.file, line=bad.line, kind=bad.kind, reason=bad.reason)
        if report.bad_lines_total > len(report.bad_lines):
            self._log.warning("more bad lines", bad_lines=report.bad_lines_total)
        for damaged in report.damaged_files:
            self._log.error("damaged recording", file=damaged.file, lines_read=damaged.lines, reason=damaged.reason)
