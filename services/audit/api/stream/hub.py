"""Let readers come, go on where they were, and go: the feed on one side, any number of streams on the other.

Nothing here waits for a reader. Events stand in one ring, readers are places in it, and a pulse wakes some of them at a
time.
"""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.api.context import NamesCache
from services.audit.api.problems import Problem
from services.audit.api.stream.event import RESET, SNAPSHOT, Mark, Message
from services.audit.api.stream.feed import StreamFeed
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.past import PastEvents, PastUnavailable
from services.audit.api.stream.payloads import market_payload
from services.audit.api.stream.pulse import Pulse
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.ring import Ring
from services.audit.api.stream.selection import Selection
from services.audit.api.stream.snapshots import Snapshots
from services.audit.api.stream.turns import messages_of, next_events, next_markets, next_pending
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics

ANOTHER_RUN: Final = "the id is of another run of the engine, or of a journal that was begun anew since"
AHEAD: Final = "the id is of a tick that this journal does not have"
NOT_KEPT: Final = "what came after the id is not kept"


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
        self.names: Final = names
        self._fold: Final = fold
        self._metrics: Final = metrics
        self._past: Final = past
        self._clock: Final = clock or _loop_time
        self._readers: Final[list[Reader]] = []
        self._feed: Final = StreamFeed(fold, names, metrics, log, limits, self._clock)
        self._pulse: Final = Pulse(self._readers, self._feed, limits, self._clock)
        self._snapshots: Final = Snapshots(self._clock)
        self._unwatch: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def readers(self) -> int:
        """Return how many readers there are."""
        return len(self._readers)

    @property
    def ring(self) -> Ring:
        """Return the events that are kept."""
        return self._feed.ring

    @property
    def id_suffix(self) -> str:
        """Return what stands behind every id on the wire: the name of the run that is told of."""
        return f"@{self._fold.run_name}" if self._fold.run_name else ""

    @property
    def is_watching(self) -> bool:
        """Tell whether ticks are looked at."""
        return self._feed.is_watching

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
        if self._unwatch is not None:
            self._unwatch.cancel()
            self._unwatch = None
        self._feed.watch()
        self._pulse.start()
        return reader

    def leave(self, reader: Reader) -> None:
        """Let a reader go."""
        reader.close()
        if reader in self._readers:
            self._readers.remove(reader)
        self._metrics.stream_readers.set(len(self._readers))
        if not self._readers and not self._is_closed:
            self._unwatch = asyncio.get_running_loop().call_later(self.limits.linger_s, self._feed.stop)

    def begin(self, reader: Reader, selection: Selection, announce: Callable[[], None] = lambda: None) -> None:
        """Tell a reader how everything stands, and from there on what changes.

        What it had still to be told comes before, then whatever ``announce`` says.
        """
        if reader.selection is not None:
            reader.pending.extend(next_events(reader, self.ring, None))
            self._snapshots.forget(selection)  # one that is older than what was just told would tell it again
        announce()
        reader.selection = selection
        self._give_snapshot(reader, selection)
        reader.wake()

    def narrow(self, reader: Reader, selection: Selection | None) -> None:
        """Let a reader want less from here on, or nothing; what it had still to be told comes before."""
        reader.pending.extend(next_events(reader, self.ring, None))
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
        if mark.run not in {"", self._fold.run_name}:
            reason = ANOTHER_RUN
        mark = Mark(mark.sequence, mark.ordinal)
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
        self._pulse.stop()
        self._feed.stop()

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
            self._reset(reader, selection, self._feed.why_left_behind(reader.number))
        if reader.pending:
            messages = next_pending(reader, self.limits.chunk_bytes)
        else:
            messages = next_events(reader, self.ring, self.limits.chunk_bytes)
            if selection is not None and selection.has_market and reader.number == self.ring.end:
                messages += next_markets(reader, selection, self._feed.board, now_s, self._fold.sequence)
            if not messages and now_s - reader.taken_s >= self.limits.keep_alive_s:
                # It stands behind the newest tick then, and may come back to there.
                messages = [Message(None if selection is None else str(self._fold.sequence), "", b"")]
        if messages:
            reader.taken_s = now_s
        return messages

    def look_after(self, now_s: float) -> None:
        """Do what the pulse does at every beat."""
        self._pulse.look_after(now_s)

    # ------------------------------------------------------------------------------ inside

    def _reset(self, reader: Reader, selection: Selection, reason: str) -> None:
        self._metrics.stream_resets.inc()
        reader.pending.clear()
        reader.has_past = False
        body = json.dumps({"sequence": self._fold.sequence, "reason": reason})
        reader.pending.append(Message(None, RESET, body.encode()))
        self._give_snapshot(reader, selection)

    def _give_snapshot(self, reader: Reader, selection: Selection) -> None:
        ring = self.ring
        snapshot = self._snapshots.get(self._feed.moment, selection, (ring.first, ring.end), self._feed.board.number)
        reader.pending.append(Message(str(snapshot.sequence), SNAPSHOT, snapshot.data))
        reader.number = snapshot.number
        reader.market_number = snapshot.market_number
        reader.market_after = snapshot.sequence

    def _refresh_market(self, reader: Reader, selection: Selection) -> None:
        """Tell how the market stands to a reader that comes back: no id says which of it it has been told."""
        moment = self._feed.moment()
        for each in moment.state.instruments:
            instrument = each.instrument.index
            if selection.has_instrument(instrument):
                reader.pending.append(Message(None, "market", market_payload(moment, instrument)))
        reader.market_number = self._feed.board.number
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
            reader.pending.extend(messages_of(events))
        return number


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
