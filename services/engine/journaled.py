"""Hold what a live and a replaying engine have in common: the engine, its journal, its counts, its dead letters."""

from collections.abc import Callable
from typing import Final, final

from services.engine.counts import EngineCounts
from services.engine.guard import JournalGuard
from services.engine.journal import AuditJournal
from services.engine.outbox import Outbox
from services.engine.status import engine_status
from services.runtime import Json, Position, Runtime
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.journal_writing import JournalWriting
from services.runtime.order_lines import log_tick
from tradebus.config.sections.modes import Mode
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, TradingStateUpdate
from tradebus.wire import subjects

LETTERS_TIMEOUT_S: Final = 1.0


@final
class JournaledEngine:
    """An engine whose every tick is counted and put into its journal, written beside it."""

    def __init__(
        self,
        runtime: Runtime,
        engine: Engine,
        journal: AuditJournal,
        counts: EngineCounts,
        letters: DeadLetterBox,
        guard: JournalGuard,
    ) -> None:
        self.runtime: Final = runtime
        self.engine: Final = engine
        self.journal: Final = journal
        self.counts: Final = counts
        self.letters: Final = letters
        self.outbox: Outbox | None = None
        """Takes requests to venue accounts; none where there are no such accounts."""
        self.on_trading: Callable[[TradingStateUpdate, int], None] | None = None
        """Called with each processed update of the trading state and its sequence, before it is recorded."""
        self.writing: Final = JournalWriting(
            runtime, "journal", journal.writer, lambda: journal.pending, journal.pressure
        )
        self._guard: Final = guard
        # A replay is asked for what came of it, not for each order on the way.
        self._tells: Final = runtime.settings.mode is not Mode.REPLAY
        if guard.lead is not None:
            guard.lead.gained = journal.writer.wake

    def record(self, tick: AuditTick, event_bytes: bytes | None = None) -> None:
        """Take the next tick; raises what the journal does."""
        self.counts.add(tick)
        if self.on_trading is not None and isinstance(tick.event, TradingStateUpdate):
            self.on_trading(tick.event, tick.sequence)
        self.journal.record(tick, event_bytes)
        if self._tells and (tick.outputs or isinstance(tick.event, AccountEvent)):
            log_tick(self.runtime.log, tick)
        if self.outbox is not None and tick.outputs:
            self.outbox.take(tick, self.engine.epoch)

    def record_run(
        self, ticks: list[AuditTick], encoded: list[bytes], begin: int, *, is_state_last: bool = True
    ) -> None:
        """Take the next ticks, plain ones of market events, by which nothing is to be sent; see ``TickSink``."""
        self.counts.add_plain(len(ticks))
        self.journal.record_run(ticks, encoded, begin, is_state_last=is_state_last)

    def run_room(self) -> int:
        """Return how many ticks may come in one run."""
        return self.journal.run_room()

    def use(self, outbox: Outbox) -> None:
        """Hand requests to venue accounts over from now on."""
        self.outbox = outbox
        self.journal.on_durable = outbox.durable

    def lose_state(self) -> None:
        """Take note that the engine's state is not the one after the last tick any more."""
        self.journal.lose_state()

    def start(self) -> None:
        """Begin to write the journal and to keep dead letters."""
        self.runtime.spawn(self.letters.run(), "dead letters")
        self.writing.start()
        if self.outbox is not None:
            self.runtime.spawn(self.outbox.run(), "outbox")

    @property
    def may_write(self) -> bool:
        """Tell whether what is recorded now can still get into the journal."""
        return self.writing.is_running and self._guard.may_write()

    async def finish(self) -> None:
        """Wait until the journal holds every tick, or until there is no more time to wait."""
        await self.writing.finish()
        await self._guard.finish()
        await self.letters.drain(LETTERS_TIMEOUT_S)
        self.runtime.log.info(
            "engine stopped",
            sequence=self.engine.sequence - 1,
            durable_sequence=self.journal.durable_sequence,
            market_events=self.counts.market_events,
            orders=self.counts.orders,
            fills=self.counts.fills,
        )

    def publish_metrics(self) -> None:
        """Bring the metrics up to date."""
        self.counts.publish(self.engine.sequence - 1, self.journal.durable_sequence, self.journal.pending)

    def status(self) -> dict[str, Json]:
        """Return where the engine stands."""
        self.publish_metrics()
        data = engine_status(self.engine, self.journal, self.counts, self.runtime.settings.journal_id)
        data.update(self._guard.status())
        data["dead_letters"] = self.letters.taken
        data["requests_waiting"] = 0 if self.outbox is None else self.outbox.pending
        return data

    def positions(self) -> list[Position]:
        """Return how far the journal is on disk; nothing while nothing is."""
        durable = self.journal.durable_sequence
        if not self.journal.writer.batches:
            return []
        return [Position(subjects.audit(self.runtime.settings.journal_id), self.engine.epoch, durable)]
