"""Bring what each tick changed to every reader: the fold on one side, any number of streams on the other.

Nothing here waits for a reader. Events stand in one ring, readers are places in it, and a pulse wakes some of them at a
time. Without readers the fold is not watched at all.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.api.context import NamesCache
from services.audit.api.moment import Moment
from services.audit.api.problems import Problem
from services.audit.api.stream.board import MarketBoard
from services.audit.api.stream.changes import BeginsAnew, Changes
from services.audit.api.stream.event import RESET, SNAPSHOT, Mark, Message, StreamEvent
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.past import PastEvents, PastUnavailable
from services.audit.api.stream.payloads import market_payload
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.ring import Ring
from services.audit.api.stream.selection import Selection
from services.audit.api.stream.snapshots import Snapshots
from services.audit.api.stream.ticks import events_of
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting

TOO_SLOW: Final = "too slow: events came faster than they were read"
AHEAD: Final = "the id is of a tick that this journal does not have"
NOT_KEPT: Final = "what came after the id is not kept"
REPORT_EVERY_S: Final = 60.0


@final
class StreamHub:
    """All streams of the audit service."""

    def __init__(
        self,
        fold: Fold,
        names: NamesCache,
        metrics: AuditMetrics,
        log: BoundLogger,
        *,
        limits: StreamLimits = LIMITS,
        past: PastEvents | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.limits: Final = limits
        self.ring: Final = Ring(self.limits.events, self.limits.bytes, Mark(-1))
        self.board: Final = MarketBoard()
        self._fold: Final = fold
        self.names: Final = names
        self._metrics: Final = metrics
        self._log: Final = log
        self._past: Final = past
        self._clock: Final = clock or _loop_time
        self._snapshots: Final = Snapshots(self._clock)
        self._changes: Changes | None = None
        self._changed_markets: Final = self.board.changes
        self._readers: Final[list[Reader]] = []
        self._served = 0
        self._pulsing: asyncio.Task[None] | None = None
        self._unwatch: asyncio.TimerHandle | None = None
        self._market_due_s = 0.0
        self._anew = (0, "")
        self._was_exact = True
        self._report_after_s = 0.0
        self._is_closed = False

    @property
    def readers(self) -> int:
        """Return how many readers there are."""
        return len(self._readers)

    @property
    def is_watching(self) -> bool:
        """Tell whether ticks are looked at."""
        return self._fold.watch is not None

    # ------------------------------------------------------------------------------ readers

    def enter(self, is_welcome: Callable[[], bool] = lambda: True) -> Reader:
        """Make room for a reader that wants nothing yet. Raises the 429 when there is none.

        ``is_welcome`` is asked every now and then; a reader that is not any more has to leave.
        """
        if self._is_closed or len(self._readers) >= self.limits.readers:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_streams",
                f"there are {len(self._readers)} streams, and no more than {self.limits.readers} at a time",
                headers={"Retry-After": str(self.limits.retry_after_s)},
            )
        reader = Reader(None, is_welcome, self._clock())
        self._readers.append(reader)
        self._metrics.stream_readers.set(len(self._readers))
        self._watch()
        return reader

    def leave(self, reader: Reader) -> None:
        """Let a reader go."""
        reader.close()
        if reader in self._readers:
            self._readers.remove(reader)
        self._metrics.stream_readers.set(len(self._readers))
        if not self._readers and not self._is_closed:
            self._unwatch = asyncio.get_running_loop().call_later(self.limits.linger_s, self._stop_watching)

    def begin(self, reader: Reader, selection: Selection, announce: Callable[[], None] = lambda: None) -> None:
        """Tell a reader how everything stands, and from there on what changes.

        What it had still to be told comes before, then whatever ``announce`` says.
        """
        if reader.selection is not None:
            reader.pending.extend(self._events(reader, bytes_max=None))
            self._snapshots.forget(selection)  # one that is older than what was just told would tell it again
        announce()
        reader.selection = selection
        self._give_snapshot(reader, selection)
        reader.wake()

    def narrow(self, reader: Reader, selection: Selection | None) -> None:
        """Let a reader want less from here on, or nothing; what it had still to be told comes before."""
        reader.pending.extend(self._events(reader, bytes_max=None))
        reader.selection = selection

    def note_stalled(self) -> None:
        """Count a reader that took nothing for too long and was let go."""
        self._metrics.stream_stalls.inc()

    async def open(self, reader: Reader, selection: Selection, mark: Mark | None) -> None:
        """Let a new reader begin with a snapshot, or behind a mark."""
        if mark is None:
            self.begin(reader, selection)
        else:
            await self.resume(reader, selection, mark)

    async def resume(self, reader: Reader, selection: Selection, mark: Mark) -> None:
        """Tell a new reader everything behind a mark; where that cannot be had, a reset and how everything stands."""
        reason = AHEAD if mark.sequence > self._fold.sequence else ""
        number = None if reason else self.ring.behind(mark)
        if not reason and number is None:
            try:
                number = await self._read_past(reader, selection, mark)
            except PastUnavailable as error:
                reason = f"{NOT_KEPT}: {error}"
        reader.selection = selection
        if number is None:
            self._reset(reader, selection, reason or NOT_KEPT)
            reader.wake()
            return
        self._metrics.stream_resumes.inc()
        reader.number = number
        if selection.has_market:
            self._refresh_market(reader, selection)
        reader.wake()

    def close(self) -> None:
        """End every stream, for good."""
        self._is_closed = True
        for reader in self._readers:
            reader.close()
        if self._unwatch is not None:
            self._unwatch.cancel()
        self._stop_watching()

    async def next(self, reader: Reader) -> list[Message]:
        """Return what a reader is told next, as soon as there is something; nothing when it has ended."""
        while not reader.is_closed:
            messages = self.take(reader)
            if messages:
                return messages
            await reader.wait()
        return []

    def take(self, reader: Reader) -> list[Message]:
        """Return what there is for a reader now, so much of it as may go at once."""
        now_s = self._clock()
        selection = reader.selection
        if not reader.pending and selection is not None and reader.number < self.ring.first:
            anew_at, reason = self._anew
            self._reset(reader, selection, reason if reader.number < anew_at else TOO_SLOW)
        if reader.pending:
            messages = self._from_pending(reader)
        else:
            messages = self._events(reader, bytes_max=self.limits.chunk_bytes)
            if selection is not None and selection.has_market and reader.number == self.ring.end:
                messages += self._markets(reader, selection, now_s)
            if not messages and now_s - reader.taken_s >= self.limits.keep_alive_s:
                # It stands behind the newest tick then, and may come back to there.
                messages = [Message(None if selection is None else str(self._fold.sequence), "", b"")]
        if messages:
            reader.taken_s = now_s
        return messages

    # ------------------------------------------------------------------------------ ticks

    def took(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Take note of a tick that the fold has applied just now."""
        event = tick.event
        changes = self._changes
        assert changes is not None, "the fold is watched once there is a state"
        if isinstance(event, MarketEvent):  # nearly every tick, so it takes the shortest way
            self._changed_markets[event.instrument] = None
            if not tick.outputs and not changes.market_link_changed(state, event.exchange):
                return  # ``is_only_market``, written out
        try:
            self._note(tick, state, changes, is_duplicate=is_duplicate)
        except BeginsAnew:
            self._begin_anew("the engine began a new run")
        except Exception as error:  # noqa: BLE001 - a stream must never stop the replica; whoever reads is told
            self._report(tick, error)
            self._begin_anew(f"tick {tick.sequence} could not be told; the log of the audit service says why")

    def _report(self, tick: AuditTick, error: Exception) -> None:
        """Log a failure, but not one for every tick of a journal that causes it over and over."""
        self._metrics.stream_failures.inc()
        now_s = self._clock()
        if now_s >= self._report_after_s:
            self._report_after_s = now_s + REPORT_EVERY_S
            self._log.error("a tick could not be streamed", sequence=tick.sequence, exc_info=error)

    def _note(self, tick: AuditTick, state: EngineState, changes: Changes, *, is_duplicate: bool) -> None:
        event = tick.event
        if isinstance(event, MarketGap):
            self.board.changed(event.instrument)
        elif isinstance(event, MarketReconnecting):
            for each in state.instruments:
                if each.instrument.exchange == event.exchange:
                    self.board.changed(each.instrument.index)
        names = self.names.of(self._fold.numbering_at(tick.sequence))
        events = events_of(tick, state, self._fold, names, changes, is_duplicate=is_duplicate)
        if events:
            self.ring.append(events)
            self._metrics.stream_events.inc(len(events))

    def _begin_anew(self, reason: str) -> None:
        """Let every reader begin again with a snapshot."""
        if self._changes is not None:
            self._changes.begin(self._fold.state)
        self.ring.begin_anew(Mark(self._fold.sequence))
        self.board.clear()
        self._anew = (self.ring.first, reason)

    # ------------------------------------------------------------------------------ pulse

    def _watch(self) -> None:
        if self._unwatch is not None:
            self._unwatch.cancel()
            self._unwatch = None
        if self._fold.watch is None:
            self._changes = Changes(self._fold.state)
            self._was_exact = self._fold.is_exact
            self.ring.begin_anew(Mark(self._fold.sequence))
            self._fold.watch = self
        if self._pulsing is None:
            self._pulsing = asyncio.get_running_loop().create_task(self._pulse(), name="streams")

    def _stop_watching(self) -> None:
        self._fold.watch = None
        self._changes = None
        self.ring.begin_anew(Mark(self._fold.sequence))
        self.board.clear()

    async def _pulse(self) -> None:
        while self._readers and not self._is_closed:
            await asyncio.sleep(self.limits.pulse_s)
            self.look_after(self._clock())
        self._pulsing = None

    def look_after(self, now_s: float) -> None:
        """Encode what is due, and wake some of the readers for whom there is something."""
        if self._fold.is_exact is not self._was_exact:
            self._was_exact = self._fold.is_exact
            self._begin_anew("the replica is exact again" if self._was_exact else "the replica is not exact any more")
        is_due = self.board.is_due and now_s >= self._market_due_s and any(map(_wants_market, self._readers))
        if is_due and not self.board.encode(self._moment()):
            self._market_due_s = now_s + self.limits.market_s
        readers = self._readers
        for _ in range(min(len(readers), self.limits.at_once)):
            self._served = (self._served + 1) % len(readers)
            reader = readers[self._served]
            if now_s - reader.asked_s >= self.limits.ask_again_s:
                reader.asked_s = now_s
                if not reader.is_welcome():
                    reader.is_turned_out = True
                    reader.close()
            if reader.is_waiting and self._has_news(reader, now_s):
                reader.wake()

    def _has_news(self, reader: Reader, now_s: float) -> bool:
        return (
            bool(reader.pending)
            or now_s - reader.taken_s >= self.limits.keep_alive_s
            or (reader.selection is not None and reader.number != self.ring.end)
            or (_wants_market(reader) and now_s >= reader.market_due_s and reader.market_number < self.board.number)
        )

    # ------------------------------------------------------------------------------ inside

    def _moment(self) -> Moment:
        fold = self._fold
        return Moment(fold, self.names.of(fold.numbering_at(fold.sequence)))

    def _reset(self, reader: Reader, selection: Selection, reason: str) -> None:
        self._metrics.stream_resets.inc()
        reader.pending.clear()
        reader.has_past = False
        body = json.dumps({"sequence": self._fold.sequence, "reason": reason})
        reader.pending.append(Message(None, RESET, body.encode()))
        self._give_snapshot(reader, selection)

    def _give_snapshot(self, reader: Reader, selection: Selection) -> None:
        ring = self.ring
        snapshot = self._snapshots.get(self._moment, selection, (ring.first, ring.end), self.board.number)
        reader.pending.append(Message(str(snapshot.sequence), SNAPSHOT, snapshot.data))
        reader.number = snapshot.number
        reader.market_number = snapshot.market_number
        reader.market_after = snapshot.sequence

    def _refresh_market(self, reader: Reader, selection: Selection) -> None:
        """Tell how the market stands to a reader that comes back: no id says which of it it has been told."""
        moment = self._moment()
        for each in moment.state.instruments:
            instrument = each.instrument.index
            if selection.has_instrument(instrument):
                reader.pending.append(Message(None, "market", market_payload(moment, instrument)))
        reader.market_number = self.board.number
        reader.market_after = moment.sequence

    async def _read_past(self, reader: Reader, selection: Selection, mark: Mark) -> int | None:
        """Give a reader what is not kept any more, as far as the ring, and return its place in there."""
        if self._past is None:
            raise PastUnavailable("there is no archive")
        if sum(each.has_past for each in self._readers) >= self.limits.past_readers:
            raise PastUnavailable("too many others are being told what they missed")
        reader.has_past = True
        until = self.ring.horizon.sequence
        events = await self._past.between(selection, mark, until, self._fold.position)
        number = self.ring.behind(Mark(until))
        if number is not None:
            reader.pending.extend(_messages(events))
        return number

    def _from_pending(self, reader: Reader) -> list[Message]:
        messages: list[Message] = []
        size = 0
        while reader.pending and size < self.limits.chunk_bytes:
            messages.append(reader.pending.popleft())
            size += len(messages[-1].data)
        reader.has_past = reader.has_past and bool(reader.pending)
        reader.note_taken()
        return messages

    def _events(self, reader: Reader, bytes_max: int | None) -> list[Message]:
        """Return the events that come next for a reader, up to the end of a tick, and move it there."""
        selection, ring = reader.selection, self.ring
        if selection is None or reader.number < ring.first:
            return []
        number, end = reader.number, ring.end
        taken: list[StreamEvent] = []
        size, sequence = 0, -1
        while number < end:
            event = ring.at(number)
            if bytes_max is not None and size >= bytes_max and event.sequence != sequence:
                break
            sequence = event.sequence
            number += 1
            if selection.has(event):
                taken.append(event)
                size += len(event.data)
        reader.number = number
        return _messages(taken)

    def _markets(self, reader: Reader, selection: Selection, now_s: float) -> list[Message]:
        board = self.board
        if now_s < reader.market_due_s or reader.market_number >= board.number:
            return []
        shown = [
            each
            for each in board.since(reader.market_number)
            if each.sequence > reader.market_after and selection.has_instrument(each.instrument)
        ]
        reader.market_number = board.number
        if shown:
            reader.market_due_s = now_s + 1 / selection.max_rate
        mark = str(self._fold.sequence)
        return [Message(mark, "market", each.data) for each in reversed(shown)]


def _messages(events: list[StreamEvent]) -> list[Message]:
    """Return events as one reader gets them: the last of a tick has the tick's own id."""
    messages: list[Message] = []
    for at, event in enumerate(events):
        is_last = at + 1 == len(events) or events[at + 1].sequence != event.sequence
        mark = Mark(event.sequence) if is_last else event.mark
        messages.append(Message(str(mark), event.topic.value, event.data))
    return messages


def _wants_market(reader: Reader) -> bool:
    return reader.selection is not None and reader.selection.has_market


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
