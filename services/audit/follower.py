"""Read the engine's journal, what is archived and then the stream, and feed the fold; tell loudly what is wrong."""

import asyncio
import time
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.config import LagLimits
from services.audit.fold import Fold
from services.audit.lag import NS_PER_MS, LagWatch
from services.audit.metrics import AuditMetrics
from services.audit.past import Past
from services.audit.taken import Break, Taken
from services.audit.verification import Check
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.health import Health
from services.runtime.order_lines import FILL_REPLICATED, log_trade
from tradebus.bus.errors import BusError, BusUnavailable, JournalPruned, JournalRewound, NoJournal
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.crash_points import crash_point
from tradebus.journal.archive.checkpoint_copy import CopyUnreadable, read_copy
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire import subjects

RETRY_WAIT_S: Final = 0.2
TICKS_PER_TURN: Final = 512
"""After this many ticks everything else in the loop gets a turn; it is what one batch may hold."""

# Names among the reasons for not being ready.
JOURNAL: Final = "journal"
REPLICA: Final = "replica"
HASH: Final = "replica hash"

_NS_PER_S: Final = 1_000_000_000


@final
class Follower:
    """Keeps the fold at the end of the stream, and health, metrics and log at the truth."""

    def __init__(
        self,
        bus: Bus,
        stream: str,
        fold: Fold,
        limits: LagLimits,
        metrics: AuditMetrics,
        health: Health,
        log: BoundLogger,
        letters: DeadLetterBox,
    ) -> None:
        self.fold: Final = fold
        self.watch: Final = LagWatch(bus, stream, fold)
        self._bus: Final = bus
        self._stream: Final = stream
        self._limits: Final = limits
        self._metrics: Final = metrics
        self._health: Final = health
        self._log: Final = log
        self._letters: Final = letters
        self._past: Past | None = None
        self._reader: JournalReader | None = None
        self._ticks_in_turn = 0

    @property
    def is_caught_up(self) -> bool:
        """Tell whether everything that was in the stream when reading began has been taken in."""
        return self._reader is not None and self._reader.is_caught_up

    async def start(self) -> None:
        """Read everything that is in the stream now, and go on reading afterwards.

        Waits for the stream to be made, however long that takes; the health report says so. Raises what ends the
        reader.
        """
        if self._past is not None:
            await self._past.restore()
        reader = await self._open()
        if reader is None:
            return
        self._reader = reader
        self._log.info("reading the journal", stream=self._stream, messages=reader.end_sequence)
        await reader.wait_caught_up()
        self._log.info("caught up", stream=self._stream, sequence=self.fold.sequence, ticks=self.fold.ticks)

    async def stop(self) -> None:
        """Stop reading; what has been handed over is taken in first."""
        if self._reader is not None:
            await self._reader.stop()

    def begin_with(self, past: Past) -> None:
        """Begin with checkpoint and archive, and say to ``past`` what is taken in; before ``start``."""
        self._past = past

    async def watch_lag(self) -> None:
        """Compare with the end of the stream, regularly, until cancelled."""
        while True:
            await self.watch.look(self._cannot_look)
            self._report_lag()
            await asyncio.sleep(self._limits.poll_s)

    # ------------------------------------------------------------------------------ inside

    async def _open(self) -> JournalReader | None:
        """Take in what is archived and read on in the stream from there; None when there is a gap between them."""
        while True:
            if self._past is not None:
                await self._past.replay(self._take)
            position = self.fold.position
            try:
                reader = await self._bus.consume(self._stream, position + 1, self._take)
            except JournalPruned as error:
                if self._past is not None and self._past.reaches(position + 1):
                    continue  # archived, and pruned, while the archive was read
                if await self._begin_anew(error):
                    continue
                self._report_gap(error)
                return None
            except JournalRewound as error:
                self._health.trouble(JOURNAL, f"{error}: stop the engine and repair the stream (tradebus audit repair)")
            except NoJournal:
                self._health.trouble(JOURNAL, f"there is no stream {self._stream} yet")
            except BusUnavailable as error:
                if not error.recoverable:
                    raise
                self._health.trouble(JOURNAL, f"the stream {self._stream} cannot be read: {error.reason}")
            else:
                self._health.clear(JOURNAL)
                return reader
            await asyncio.sleep(RETRY_WAIT_S)

    async def _begin_anew(self, pruned: JournalPruned) -> bool:
        """Go on from the snapshot that the engine handed out, where nobody has what was before; tell whether we do."""
        key = subjects.engine_snapshot(subjects.audit_engine(self._stream))
        try:
            entry = await self._bus.bucket(subjects.SNAPSHOTS).get(key)
            if entry is None or entry.value is None:
                return False
            copy = await asyncio.to_thread(read_copy, entry.value, load_data, load_user_data)
        except (BusError, CopyUnreadable, OSError) as error:
            self._log.warning("the engine's snapshot cannot be used", key=key, reason=str(error))
            return False
        head = copy.head
        if head.stream != self._stream or head.position + 1 < pruned.first or head.position <= self.fold.position:
            self._log.warning("the engine's snapshot does not fit", key=key, stream=head.stream, position=head.position)
            return False
        self.fold.begin_anew(head, copy.snapshot)
        self._log.error(
            "the journal has a gap: the replica begins anew with the engine's snapshot, and knows nothing before it",
            stream=self._stream,
            wanted=pruned.wanted,
            first=pruned.first,
            sequence=head.sequence,
        )
        return True

    async def _take(self, message: JournalMessage) -> None:
        fills = self.fold.projections.fills.rows
        known = fills.count
        taken = self.fold.take(message)
        crash_point("audit.mid_fold")
        if fills.count > known and self.is_caught_up:
            for _, fill in fills.oldest_first(known):
                log_trade(self._log, FILL_REPLICATED, fill.trade, sequence=fill.sequence)
        self._measure(message, taken)
        if taken.check is not None:
            self._report_check(taken.check)
        if taken.broke is not None:
            self._report_break(taken.broke, message)
        if self._past is not None:
            self._past.took(taken.ticks)
        self._ticks_in_turn += taken.ticks
        if self._ticks_in_turn >= TICKS_PER_TURN:
            self._ticks_in_turn = 0
            await asyncio.sleep(0)

    def _measure(self, message: JournalMessage, taken: Taken) -> None:
        metrics = self._metrics
        metrics.batches.inc()
        metrics.bytes.inc(len(message.payload))
        if taken.ticks:
            metrics.ticks.inc(taken.ticks)
            metrics.sequence.set(self.fold.sequence)
            if not message.pending:
                metrics.delay.observe(max(0, time.time_ns() - message.time_ns) / _NS_PER_S)

    def _report_check(self, check: Check) -> None:
        if check.is_equal:
            self._metrics.checks.labels("equal").inc()
            if self.fold.is_exact:
                # It may have been otherwise, until the engine said that its code changed.
                self._metrics.exact.set(1)
                self._health.clear(HASH)
        elif not check.is_unequal:
            self._metrics.checks.labels("not_verified").inc()
            if self.fold.verification.not_verified == 1:
                self._log.warning("state hash not verified", **_hashes(check))
        else:
            self._metrics.checks.labels("unequal").inc()
            self._metrics.exact.set(0)
            first = self.fold.verification.first_unequal
            if check is first:
                self._log.error("the replica is not equal to the engine", **_hashes(check))
                self._health.trouble(HASH, f"the replica's state is not the engine's at sequence {check.sequence}")

    def _report_break(self, broke: Break, message: JournalMessage) -> None:
        self._metrics.breaks.labels(broke.kind.name.lower()).inc()
        self._metrics.exact.set(0)
        self._log.error(
            "the journal cannot be followed any further",
            kind=broke.kind.name.lower(),
            reason=broke.reason,
            stream=self._stream,
            stream_sequence=broke.stream_sequence,
            sequence=broke.sequence,
        )
        self._health.trouble(REPLICA, f"stopped at sequence {broke.sequence}: {broke.reason}")
        self._letters.put(message.subject, message.payload, f"message {message.sequence}: {broke.reason}")

    def _report_gap(self, error: JournalPruned) -> None:
        """Tell that neither the stream nor the archive has what comes next."""
        broke = self.fold.miss(error.wanted, f"{error}, and the archive does not have it either")
        self._metrics.breaks.labels(broke.kind.name.lower()).inc()
        self._metrics.exact.set(0)
        self._log.error("the journal has a gap", stream=self._stream, wanted=error.wanted, first=error.first)
        self._health.trouble(REPLICA, f"stopped at sequence {broke.sequence}: {broke.reason}")

    def _cannot_look(self, reason: str) -> None:
        self._log.debug("the end of the stream cannot be looked up", reason=reason)

    def _report_lag(self) -> None:
        lag = self.watch.lag
        self._metrics.lag_events.set(lag.events)
        self._metrics.lag_seconds.set(lag.ms * NS_PER_MS / _NS_PER_S)
        if self.fold.broken is not None:
            return  # that is the reason to tell, and it stays
        if lag.ms > self._limits.ms_max:
            limit_s = self._limits.ms_max / 1000
            self._health.trouble(REPLICA, f"the replica is more than {limit_s:g} s behind the journal")
        else:
            self._health.clear(REPLICA)


def _hashes(check: Check) -> dict[str, str | int]:
    return {
        "sequence": check.sequence,
        "core": check.core.name.lower(),
        "user": check.user.name.lower(),
        "engine_core": check.engine.core,
        "engine_user": check.engine.user,
        "replica_core": check.replica.core,
        "replica_user": check.replica.user,
    }
