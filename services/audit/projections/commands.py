"""Remember what became of operators' commands: at which step each was applied, or why it was rejected."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from services.audit.projections.bounded import Newest
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.command import (
    CancelOrders,
    ClosePositions,
    Command,
    CommandAction,
    CommandRejected,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent

TRADING_STATE: Final = "trading_state"
OPEN_ORDERS: Final = "open_orders"
CANCEL_ORDERS: Final = "cancel_orders"
CLOSE_POSITIONS: Final = "close_positions"
AMEND_ORDERS: Final = "amend_orders"
CONFIGURATION: Final = "configuration"
SHUTDOWN: Final = "shutdown"
UNKNOWN: Final = "unknown"
"""What a rejected command asked for does not stand in the journal."""

_KINDS: Final[dict[type[CommandAction], str]] = {
    SendOpenRequests: OPEN_ORDERS,
    SendCancelRequests: CANCEL_ORDERS,
    SendAmendRequests: AMEND_ORDERS,
    CancelOrders: CANCEL_ORDERS,
    ClosePositions: CLOSE_POSITIONS,
}


class CommandStatus(Enum):
    """What became of a command."""

    APPLIED = 1
    REJECTED = 2
    """It expired, did not fit, or every request that it led to was declined: nothing has come of it."""


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of one command, at which step.

    ``opened``, ``cancelled`` and ``amended`` are client order ids of the requests that were sent. ``declined`` says of
    each one that was not, why: refused by the risk manager, or not to be handed over. ``time_ns`` is engine time.
    """

    id: str
    sequence: int
    time_ns: int
    origin: str
    kind: str
    status: CommandStatus
    reason: str = ""
    opened: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    amended: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()


@final
class Commands:
    """The outcomes of commands, the newest kept; only those that have an id, which is how one asks for them."""

    def __init__(self, rows_max: int) -> None:
        self.rows: Final[Newest[CommandOutcome]] = Newest(rows_max)
        self._by_id: Final[dict[str, CommandOutcome]] = {}

    @property
    def decided(self) -> int:
        """Return how many there were, also such as are no longer kept."""
        return self.rows.count

    def get(self, command_id: str) -> CommandOutcome | None:
        """Return what became of a command; none while nothing has, or when it is no longer kept."""
        return self._by_id.get(command_id)

    def take(self, tick: AuditTick) -> None:
        """Take in a tick, which may be of a command."""
        outcome = _outcome(tick, tick.event)
        if outcome is None or not outcome.id:
            return
        self.rows.append(outcome)
        self._by_id[outcome.id] = outcome
        while len(self._by_id) > self.rows.rows_max:
            del self._by_id[next(iter(self._by_id))]

    def restore(self, first: int, rows: list[CommandOutcome]) -> None:
        """Go on from these outcomes, the oldest of which has the number ``first``."""
        self.rows.restore(first, rows)
        self._by_id.clear()
        self._by_id.update({row.id: row for row in rows[-self.rows.rows_max :]})


def _outcome(tick: AuditTick, event: EngineEvent) -> CommandOutcome | None:
    at = (tick.sequence, tick.time_ns)
    if isinstance(event, Command):
        return _decided(tick, event)
    if isinstance(event, TradingStateUpdate):
        return CommandOutcome(event.command_id, *at, event.origin, TRADING_STATE, CommandStatus.APPLIED)
    if isinstance(event, ConfigChanged):
        return CommandOutcome(event.command_id, *at, event.origin, CONFIGURATION, CommandStatus.APPLIED)
    if isinstance(event, Shutdown):
        return CommandOutcome(event.command_id, *at, event.origin, SHUTDOWN, CommandStatus.APPLIED)
    if isinstance(event, CommandRejected):
        return CommandOutcome(event.id, *at, event.origin, UNKNOWN, CommandStatus.REJECTED, event.reason)
    return None


def _decided(tick: AuditTick, command: Command) -> CommandOutcome:
    """Return what came of a command that led to requests; rejected where all of them were declined."""
    opened: list[str] = []
    cancelled: list[str] = []
    amended: list[str] = []
    declined: list[str] = []
    for output in tick.outputs:
        # A strategy that is asked in the same step decides for itself.
        if isinstance(output, RequestsDecided) and output.origin.name.startswith("COMMAND_"):
            opened += [request.key.cid for request in output.opens_sent]
            cancelled += [request.key.cid for request in output.cancels_sent]
            amended += [request.key.cid for request in output.amends_sent]
            declined += _declined(output)
    sent = opened or cancelled or amended
    is_rejected = bool(declined) and not sent
    more = f" (and {len(declined) - 1} more)" if len(declined) > 1 else ""
    return CommandOutcome(
        command.id,
        tick.sequence,
        tick.time_ns,
        command.origin,
        _KINDS[type(command.action)],
        CommandStatus.REJECTED if is_rejected else CommandStatus.APPLIED,
        f"{declined[0]}{more}" if is_rejected else "",
        tuple(opened),
        tuple(cancelled),
        tuple(amended),
        tuple(declined),
    )


def _declined(output: RequestsDecided) -> Iterator[str]:
    yield from (each.reason for each in output.opens_refused)
    yield from (each.reason for each in output.cancels_refused)
    yield from (each.reason for each in output.amends_refused)
    yield from (each.error.message for each in output.opens_failed)
    yield from (each.error.message for each in output.cancels_failed)
    yield from (each.error.message for each in output.amends_failed)
