"""Remember who switched trading off: what the policy switched off it may switch on again, after a restart too."""

from typing import final

from tradebus.core.engine.audit.tick import AuditTick, Halted
from tradebus.core.engine.event import EngineStarted, TradingStateUpdate
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent


@final
class SwitchedOff:
    """Follows ticks. ``by`` is the origin of the update by which trading is off; empty if it is on, or halted."""

    def __init__(self, by: str = "") -> None:
        self.by = by

    def take(self, tick: AuditTick) -> None:
        """Take in the next tick."""
        event = tick.event
        if isinstance(event, TradingStateUpdate):
            self.by = event.origin if event.state is TradingState.DISABLED else ""
        elif isinstance(event, MarketEvent):
            pass  # nearly every tick
        elif isinstance(event, EngineStarted) or (isinstance(event, CodeChanged) and event.state_differs):
            self.by = ""
        for output in tick.outputs:
            if isinstance(output, Halted):
                self.by = ""
