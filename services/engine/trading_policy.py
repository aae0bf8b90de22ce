"""Decide when trading goes off by itself: when what the engine does can not be recorded, or nobody can be reached.

What the policy switched off it switches on again, once all has been well for a while. What somebody else said of
trading meanwhile, on or off, holds: from then on it is not the policy's to take back.
"""

from dataclasses import dataclass
from typing import Final, final

from tradebus.bus.events import BusEvent, Disconnected, Reconnected
from tradebus.config.sections.engine import HealthLimits
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState

POLICY: Final = "policy"
"""What the origin of every update that comes from here begins with."""

CRASH_LOOP: Final = "crash loop"
"""What the reason of a halt after too many crashes begins with."""

NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class JournalView:
    """How the journal stands: batches acknowledged so far, whether anything waits, the last tick on disk."""

    batches: int
    is_waiting: bool
    durable_sequence: int


@final
class TradingPolicy:
    """The policy of one engine. Times are nanoseconds of a clock that stands still while we could not listen."""

    def __init__(self, limits: HealthLimits) -> None:
        self._acknowledgement_ns: Final = limits.acknowledgement_ms * NS_PER_MS
        self._ping_ns: Final = limits.ping_ms * NS_PER_MS
        self._recovered_ns: Final = limits.recovered_ms * NS_PER_MS
        self._batches = -1
        self._moved_ns: int | None = None
        # The connections that are lost, with whether the server had fallen silent on them before.
        self._lost: Final[dict[str, bool]] = {}
        self._lost_ns: int | None = None
        self._well_ns: int | None = None
        self._told: TradingStateUpdate | None = None
        self._told_sequence = 0
        self.reason = ""
        """Why trading is off by this policy; empty when it is not."""

    def take_over(self, origin: str) -> None:
        """Take over what the policy of an earlier run switched off: ``origin`` of the update by which trading is off.

        A crash loop is no matter of this policy: an operator ends it.
        """
        reason = origin.removeprefix(f"{POLICY}: ")
        if reason != origin and not reason.startswith(CRASH_LOOP):
            self.reason = reason

    def on_bus_event(self, event: BusEvent) -> None:
        """Take note of connections that are lost and come back."""
        if isinstance(event, Disconnected):
            self._lost[event.connection] = event.is_silent
        elif isinstance(event, Reconnected):
            self._lost.pop(event.connection, None)

    def look(self, now_ns: int, journal: JournalView, trading: TradingState) -> TradingStateUpdate | None:
        """Return what is to be processed now, if trading is to be switched.

        The caller processes it and says by ``note`` which tick it became.
        """
        trouble = self._trouble(now_ns, journal)
        if trouble:
            self._well_ns = None
            if trading is TradingState.ENABLED:
                return self._tell(TradingState.DISABLED, trouble)
            return None
        if self._well_ns is None:
            self._well_ns = now_ns
        is_over = now_ns - self._well_ns >= self._recovered_ns and journal.durable_sequence >= self._told_sequence
        if not (self.reason and is_over):
            return None
        if trading is TradingState.ENABLED:
            self.reason = ""
            return None
        return self._tell(TradingState.ENABLED, f"well again after: {self.reason}")

    def note(self, update: TradingStateUpdate, sequence: int) -> bool:
        """Take note of a processed update and its tick; tell whether it is this policy's own."""
        is_own = update is self._told
        if is_own and update.state is TradingState.DISABLED:
            self.reason = update.origin.removeprefix(f"{POLICY}: ")
            self._told_sequence = sequence
        else:
            self.reason = ""
        self._told = None
        return is_own

    def _tell(self, state: TradingState, why: str) -> TradingStateUpdate:
        self._told = TradingStateUpdate(state, f"{POLICY}: {why}")
        return self._told

    def _trouble(self, now_ns: int, journal: JournalView) -> str:
        """Return what is wrong for too long by now, empty if nothing is."""
        if self._moved_ns is None or journal.batches != self._batches or not journal.is_waiting:
            self._batches = journal.batches
            self._moved_ns = now_ns
        if not self._lost:
            self._lost_ns = None
        elif self._lost_ns is None:
            self._lost_ns = now_ns
        if now_ns - self._moved_ns >= self._acknowledgement_ns:
            return f"nothing was acknowledged by the journal for {self._acknowledgement_ns // NS_PER_MS} ms"
        is_silent = any(self._lost.values())
        if self._lost_ns is not None and (is_silent or now_ns - self._lost_ns >= self._ping_ns):
            return f"NATS answered no ping for {self._ping_ns // NS_PER_MS} ms"
        return ""
