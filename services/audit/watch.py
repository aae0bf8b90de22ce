"""What somebody must do to be told of each tick that the fold applies."""

from typing import Protocol

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.engine_state import EngineState


class TickWatch(Protocol):
    """What is told of each tick right after it was applied; of plain ones in runs, as far as it allows.

    Plain is a market event by which nothing was decided.
    """

    def market_end(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> int:
        """Return up to where of the plain ticks at ``begin`` up to ``end``, to be applied next, it needs no word."""
        ...

    def took_market(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        """Take note of plain ticks that were applied on end."""
        ...

    def took(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Take note of a tick; ``is_duplicate`` says that its account event had been applied before."""
