"""Carry out the trading policy and the crash latch in a running engine, and tell health of both."""

from typing import Final, final

from services.engine.crash_latch import CrashLatch
from services.engine.journaled import JournaledEngine
from services.engine.stepper import Stepper
from services.engine.trading_policy import POLICY, JournalView, TradingPolicy
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState

# Names among the reasons for not being ready.
TRADING: Final = "trading"
CRASHES: Final = "crash loop"
LATCH: Final = "record of starts"


SAVE_PERIOD_NS: Final = 1_000_000_000
"""What could not be recorded is tried again as often."""


@final
class TradingWatch:
    """Watches over the trading state of one engine; ``latch`` is None where starts are not recorded."""

    def __init__(
        self, base: JournaledEngine, stepper: Stepper, policy: TradingPolicy, latch: CrashLatch | None
    ) -> None:
        self._base: Final = base
        self._stepper: Final = stepper
        self._policy: Final = policy
        self._latch: Final = latch
        self.on_bus_event: Final = policy.on_bus_event
        self._missed = ""
        """What could not be recorded, in words; empty while nothing is missing."""
        self._saved_ns = 0
        base.on_trading = self._note

    def begin(self, now_ns: int) -> None:
        """Record the start, before the journal begins. Raises CrashFileDamaged.

        A disk that is full keeps no engine from trading: it is told, and recorded when there is room.
        """
        if self._latch is None:
            return
        try:
            self._latch.begin(now_ns)
        except OSError as error:
            self._miss("this start", error)

    def started(self) -> None:
        """Halt, if the engine has crashed too often: said in the journal and by health."""
        latch = self._latch
        if latch is None or not latch.is_halted:
            return
        self._base.runtime.health.trouble(CRASHES, f"{latch.reason}; an operator who enables trading ends it")
        self._base.runtime.log.error("started halted", reason=latch.reason)
        self._stepper.step(TradingStateUpdate(TradingState.DISABLED, f"{POLICY}: {latch.reason}"))

    def stopped(self) -> None:
        """Record an ordered stop; an end with an error is a crash like any other."""
        if self._latch is not None and self._base.runtime.failure is None:
            try:
                self._latch.end()
            except OSError as error:
                self._base.runtime.log.error("the ordered stop counts as a crash: not recorded", reason=str(error))  # noqa: TRY400

    def look(self, now_ns: int) -> None:
        """Switch trading as the policy says; to be called regularly."""
        base = self._base
        if self._missed and now_ns - self._saved_ns >= SAVE_PERIOD_NS:
            self._save(now_ns)
        journal = base.journal
        is_waiting = journal.pending > 0 or journal.writer.in_flight_since_s is not None
        view = JournalView(journal.writer.batches, is_waiting, journal.durable_sequence)
        update = self._policy.look(now_ns, view, base.engine.state.trading)
        if update is not None:
            self._stepper.step(update)

    def _note(self, update: TradingStateUpdate, sequence: int) -> None:
        """Take note of an update that was processed, whoever it is from."""
        base, policy = self._base, self._policy
        is_own = policy.note(update, sequence)
        base.runtime.log.warning("trading switched", state=update.state.name.lower(), origin=update.origin)
        if policy.reason:
            base.runtime.health.trouble(TRADING, f"off by policy: {policy.reason}")
        else:
            base.runtime.health.clear(TRADING)
        if self._latch is not None and not is_own and update.state is TradingState.ENABLED:
            self._release(self._latch)

    def _release(self, latch: CrashLatch) -> None:
        """End a halt. A disk that is full leaves the engine trading, and the next start halted: that is told."""
        try:
            latch.release()
        except OSError as error:
            self._miss("the end of the halt", error)
            return
        self._base.runtime.health.clear(CRASHES)

    def _miss(self, what: str, error: OSError) -> None:
        """Tell that something is not on disk, to be tried again."""
        self._missed = what
        self._base.runtime.health.trouble(LATCH, f"{what} could not be recorded: {error}")

    def _save(self, now_ns: int) -> None:
        """Try again to record what could not be."""
        assert self._latch is not None, "something was to be recorded"
        self._saved_ns = now_ns
        try:
            self._latch.save()
        except OSError as error:
            self._miss(self._missed, error)
            return
        self._missed = ""
        health = self._base.runtime.health
        health.clear(LATCH)
        if not self._latch.is_halted:
            health.clear(CRASHES)
