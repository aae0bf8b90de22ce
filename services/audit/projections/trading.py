"""Remember who switched trading on or off last, and at which step."""

from dataclasses import dataclass
from typing import final

from tradebus.core.engine.audit.tick import AuditTick, Halted
from tradebus.core.engine.event import EngineStarted, TradingStateUpdate
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.state.trading import TradingState


@dataclass(frozen=True, slots=True)
class TradingChange:
    """A change of the trading state; ``origin`` says who: an operator's name, ``start``, ``feed end``, ``halt of ema``.

    ``reason`` is what a halt was for, else empty. ``time_ns`` is engine time.
    """

    sequence: int
    time_ns: int
    state: TradingState
    origin: str
    reason: str


@final
class TradingHistory:
    """The last change of the trading state."""

    def __init__(self) -> None:
        self.last: TradingChange | None = None

    def take_event(self, tick: AuditTick) -> None:
        """Take in the event of a tick."""
        event = tick.event
        if isinstance(event, EngineStarted):
            self._change(tick, event.trading, "start", "")
        elif isinstance(event, TradingStateUpdate):
            self._change(tick, event.state, event.origin, "")
        elif isinstance(event, CodeChanged) and event.state_differs:
            self._change(tick, TradingState.DISABLED, "code change", f"{event.after} gives another state")

    def take_halt(self, tick: AuditTick, halted: Halted) -> None:
        """Take in that a strategy failed, which switches trading off."""
        self._change(tick, TradingState.DISABLED, f"halt of {halted.strategy}", halted.reason)

    def _change(self, tick: AuditTick, state: TradingState, origin: str, reason: str) -> None:
        if self.last is None or self.last.state is not state:
            self.last = TradingChange(tick.sequence, tick.time_ns, state, origin, reason)
