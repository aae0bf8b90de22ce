"""Remember how the risk checks were set up, and since which step: an order is judged by the parameters of its time."""

from bisect import bisect_right
from typing import Final, NamedTuple, final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState

SETUPS_MAX: Final = 1_000
"""How many setups are kept, the newest: each stands for a change of parameters while the engine ran, or over a stop."""


class RiskSetup(NamedTuple):
    """The checks in the order they are asked, as they are set up from a tick on."""

    sequence: int
    checks: tuple[RiskCheckSetup, ...]


@final
class RiskHistory:
    """Every setup of the risk checks since the run began, the oldest first."""

    def __init__(self) -> None:
        self.setups: list[RiskSetup] = []

    def begin(self, sequence: int, state: EngineState) -> None:
        """Begin with the setup that a state holds."""
        self.setups = [RiskSetup(sequence, _setup_of(state))]

    def take(self, tick: AuditTick, state: EngineState) -> None:
        """Take in a tick that ``state`` has taken in just now."""
        if not isinstance(tick.event, EngineStarted | EngineResumed | ConfigChanged):
            return
        checks = _setup_of(state)
        if not self.setups or self.setups[-1].checks != checks:
            self.setups.append(RiskSetup(tick.sequence, checks))
            del self.setups[:-SETUPS_MAX]

    def at(self, sequence: int) -> tuple[RiskCheckSetup, ...] | None:
        """Return the setup that a tick decided by, none where it is no longer kept."""
        place = bisect_right(self.setups, sequence, key=lambda setup: setup.sequence)
        return self.setups[place - 1].checks if place else None


def _setup_of(state: EngineState) -> tuple[RiskCheckSetup, ...]:
    return tuple(check.setup for check in state.risk.checks)
