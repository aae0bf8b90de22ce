"""Note what each tick changed, once for all readers: events in one ring, markets on one board.

Without readers the fold is not watched at all.
"""

import time
from collections.abc import Callable
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.api.context import NamesCache
from services.audit.api.moment import Moment
from services.audit.api.stream.board import MarketBoard
from services.audit.api.stream.changes import BeginsAnew, Changes
from services.audit.api.stream.event import Mark
from services.audit.api.stream.limits import StreamLimits
from services.audit.api.stream.ring import Ring
from services.audit.api.stream.ticks import events_of, is_only_market
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting

TOO_SLOW: Final = "too slow: events came faster than they were read"
REPORT_EVERY_S: Final = 60.0


@final
class StreamFeed:
    """Stands between the fold and the readers: it is told of each tick while there is somebody to tell."""

    def __init__(
        self,
        fold: Fold,
        names: NamesCache,
        metrics: AuditMetrics,
        log: BoundLogger,
        limits: StreamLimits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ring: Final = Ring(limits.events, limits.bytes, Mark(-1))
        self.board: Final = MarketBoard()
        self._fold: Final = fold
        self._names: Final = names
        self._metrics: Final = metrics
        self._log: Final = log
        self._clock: Final = clock
        self._changes: Changes | None = None
        self._changed_markets: Final = self.board.changes
        self._anew = (0, "")
        self._was_exact = True
        self._report_after_s = 0.0

    # ------------------------------------------------------------------------------ for readers

    @property
    def is_watching(self) -> bool:
        """Tell whether ticks are looked at."""
        return self._fold.watch is not None

    def watch(self) -> None:
        """Look at every tick from here on."""
        if not self.is_watching:
            self._changes = Changes(self._fold.state)
            self._was_exact = self._fold.is_exact
            self.ring.begin_anew(Mark(self._fold.sequence))
            self._fold.watch = self

    def stop(self) -> None:
        """Look at no tick any more, and forget what was seen."""
        self._fold.watch = None
        self._changes = None
        self.ring.begin_anew(Mark(self._fold.sequence))
        self.board.clear()

    def moment(self) -> Moment:
        """Return the fold as it is now."""
        fold = self._fold
        return Moment(fold, self._names.of(fold.numbering_at(fold.sequence)))

    def why_left_behind(self, number: int) -> str:
        """Return why the ring does not keep the event with this number any more."""
        anew_at, reason = self._anew
        return reason if number < anew_at else TOO_SLOW

    def look_whether_exact(self) -> None:
        """Let every reader begin again where it has to be told that the replica is exact no more, or is so again."""
        if self._fold.is_exact is not self._was_exact:
            self._was_exact = self._fold.is_exact
            self._begin_anew("the replica is exact again" if self._was_exact else "the replica is not exact any more")

    def show_markets(self) -> bool:
        """Encode some of the markets that changed; tell whether there is more."""
        try:
            return self.board.encode(self.moment())
        except Exception as error:  # noqa: BLE001 - the pulse must go on, for whoever reads; each is told
            self._report("a market could not be streamed", self._fold.sequence, error)
            self._begin_anew("a market could not be told; the log of the audit service says why")
            return False

    # ------------------------------------------------------------------------------ for the fold

    def market_end(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> int:
        """Return up to where of plain ticks it is enough to be told of them together."""
        assert self._changes is not None, "the fold is watched once there is a state"
        return self._changes.market_end(ticks, begin, end)

    def took_market(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        """Take note of plain ticks that the fold has applied just now, which changed market data and nothing else."""
        changed = self._changed_markets
        for tick in ticks[begin:end]:
            event = tick.event
            assert isinstance(event, MarketEvent), "a plain tick is a market event's"
            changed[event.instrument] = None

    def took(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Take note of a tick that the fold has applied just now."""
        event = tick.event
        changes = self._changes
        assert changes is not None, "the fold is watched once there is a state"
        if isinstance(event, MarketEvent):
            self.board.changed(event.instrument)
            if is_only_market(tick, state, changes):
                return
        try:
            self._note(tick, state, changes, is_duplicate=is_duplicate)
        except BeginsAnew:
            self._begin_anew("the engine began a new run")
        except Exception as error:  # noqa: BLE001 - a stream must never stop the replica; whoever reads is told
            self._report("a tick could not be streamed", tick.sequence, error)
            self._begin_anew(f"tick {tick.sequence} could not be told; the log of the audit service says why")

    # ------------------------------------------------------------------------------ inside

    def _note(self, tick: AuditTick, state: EngineState, changes: Changes, *, is_duplicate: bool) -> None:
        event = tick.event
        if isinstance(event, MarketGap):
            self.board.changed(event.instrument)
        elif isinstance(event, MarketReconnecting):
            for each in state.instruments:
                if each.instrument.exchange == event.exchange:
                    self.board.changed(each.instrument.index)
        names = self._names.of(self._fold.numbering_at(tick.sequence))
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

    def _report(self, what: str, sequence: int, error: Exception) -> None:
        """Log a failure, but not one for every tick of a journal that causes it over and over."""
        self._metrics.stream_failures.inc()
        now_s = self._clock()
        if now_s >= self._report_after_s:
            self._report_after_s = now_s + REPORT_EVERY_S
            self._log.error(what, sequence=sequence, exc_info=error)
