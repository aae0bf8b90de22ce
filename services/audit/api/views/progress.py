"""Show what became of a command."""

from typing import Literal, Self, TypeAlias

from services.audit.api.views.base import View
from services.audit.api.views.values import TextOrNone, TimeOrNone, time_text
from services.audit.commands import Asked, Progress

StandingName: TypeAlias = Literal["accepted", "applied", "rejected", "lost", "valid"]


class CommandProgressView(View):
    """A command, and what became of it as of the answer's sequence."""

    id: str | None
    """Ask `/v1/commands/{id}` for what becomes of it; null where it was only checked."""
    kind: str
    """`trading_state`, `open_orders`, `cancel_orders`, `close_positions`, `shutdown`; others come from elsewhere."""
    status: StandingName
    """Accepted: on its way. Applied: at `sequence`. Rejected: see `reason`. Valid: checked, not sent (`dry_run`).

    Lost: it has expired, and what became of it will not be known here; `reason` says why.
    """
    reason: TextOrNone
    """Why it was rejected, or is lost."""
    sequence: int | None
    """The audit tick at which it was applied or rejected: `/v1/audit/{sequence}` says everything about it."""
    time_engine: TimeOrNone
    """Engine time at that tick."""
    origin: TextOrNone
    """Who sent it, from where and when, as it stands in the journal."""
    accepted: TimeOrNone
    """When it was taken; null for one that did not come through this API."""
    expires: TimeOrNone
    """Until when the engine may apply it."""
    opened: list[str]
    """The client order ids of the orders that it sent."""
    cancelled: list[str]
    """Of the orders that it asked to cancel."""
    amended: list[str]
    declined: list[str]
    """Why requests of it were not sent, one entry each."""

    @classmethod
    def of_progress(cls, progress: Progress) -> Self:
        """Return the view of a command as it stands."""
        taken, outcome = progress.taken, progress.outcome
        kind = taken.kind if taken is not None else outcome.kind if outcome is not None else ""
        origin = outcome.origin if outcome is not None else taken.origin if taken is not None else ""
        return cls(
            id=progress.id,
            kind=kind,
            status=progress.standing.value,
            reason=progress.lost if outcome is None else outcome.reason,
            sequence=None if outcome is None else outcome.sequence,
            time_engine=None if outcome is None else time_text(outcome.time_ns),
            origin=origin,
            accepted=None if taken is None else time_text(taken.time_ns),
            expires=None if taken is None else time_text(taken.expiry_ns),
            opened=[] if outcome is None else list(outcome.opened),
            cancelled=[] if outcome is None else list(outcome.cancelled),
            amended=[] if outcome is None else list(outcome.amended),
            declined=[] if outcome is None else list(outcome.declined),
        )

    @classmethod
    def of_checked(cls, asked: Asked) -> Self:
        """Return the view of a command that was checked and not sent."""
        return cls(
            id=None,
            kind=asked.kind,
            status="valid",
            reason=None,
            sequence=None,
            time_engine=None,
            origin=None,
            accepted=None,
            expires=None,
            opened=[],
            cancelled=[],
            amended=[],
            declined=[],
        )
