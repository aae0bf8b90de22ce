"""Keep the positions that were closed."""

from typing import Final, final

from services.audit.projections.bounded import Newest
from tradebus.core.engine.audit.tick import AuditTick, PositionExit
from tradebus.core.engine.state.position import PositionExited


@final
class Exit:
    """A closed position with the sequence and engine time (nanoseconds) of the step that closed it."""

    __slots__ = ("exited", "sequence", "time_ns")

    def __init__(self, sequence: int, time_ns: int, exited: PositionExited) -> None:
        self.sequence = sequence
        self.time_ns = time_ns
        self.exited = exited


@final
class Exits:
    """All closed positions of a journal, the newest of them kept."""

    def __init__(self, rows_max: int) -> None:
        self.rows: Final[Newest[Exit]] = Newest(rows_max)

    def take(self, tick: AuditTick, output: PositionExit) -> None:
        """Add a closed position."""
        self.rows.append(Exit(tick.sequence, tick.time_ns, output.exited))
