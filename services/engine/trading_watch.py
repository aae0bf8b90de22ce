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
        base.on_trading = self._note

    def begin(self, now_ns: int) -> None:
        """Record the start, before the journal begins. Raises CrashFileDamaged, OSError."""
        if self._latch is not None:
            self._latch.begin(now_ns)

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
            self._latch.end()

    def look(self, now_ns: int) -> None:
        """Switch trading as the policy says; to be called regularly."""
        base = self._base
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
            self._base.runtime.health.trouble(LATCH, f"the end of the halt could not be recorded: {error}")
            return
        self._base.runtime.health.clear(CRASHES)
