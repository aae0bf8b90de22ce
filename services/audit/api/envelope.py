"""Wrap every answer the same way: the data, and the one sequence that all of it is of."""

from typing import Final, Generic, Self, TypeVar

from services.audit.api.views.base import View, have_docstrings
from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import AgreementName, Time
from services.audit.fold import Fold

T = TypeVar("T")

CHAIN_DIGITS: Final = 12


class VerificationView(View):
    """Whether the replica is the engine's state: the last comparison of both state hashes."""

    equal: bool | None
    """Whether both roots were verified and are the same; null before the first comparison.

    False for good once they differed, or when the journal could not be followed any further.
    """
    sequence: int | None
    """The tick of the last comparison."""
    core: AgreementName | None
    """The state of the engine."""
    user: AgreementName | None
    """What the strategies remember; not verified where a strategy's class is not available."""
    reason: str | None
    """Why not equal."""

    @classmethod
    def of_fold(cls, fold: Fold) -> Self:
        """Return how far a fold is verified."""
        check = fold.verification.last
        reason = _reason(fold)
        return cls(
            equal=False if reason is not None else None if check is None else check.is_equal,
            sequence=None if check is None else check.sequence,
            core=None if check is None else check.core.name.lower(),
            user=None if check is None else check.user.name.lower(),
            reason=reason,
        )


def tag_of(fold: Fold, sequence: int) -> str:
    """Return what names a fold at its sequence: that, the history that led there, and how far it is verified."""
    exact = "" if fold.is_exact else "-inexact"
    checked = fold.verification.last
    return f'"{sequence}-{fold.chain[:CHAIN_DIGITS]}-{checked.sequence if checked else "none"}{exact}"'


def _reason(fold: Fold) -> str | None:
    if fold.broken is not None:
        return f"stopped at sequence {fold.broken.sequence}: {fold.broken.reason}"
    first = fold.verification.first_unequal
    if first is not None:
        return f"the state is not the engine's at sequence {first.sequence}"
    check = fold.verification.last
    if check is not None and not check.is_equal:
        return "the class of a strategy is not available here, so what it remembers was not verified"
    return None


class Envelope(View, Generic[T]):
    """An answer of one sequence."""

    sequence: int
    """The last audit tick that the data include."""
    time_engine: Time
    """Engine time at that tick."""
    mode: str
    verification: VerificationView
    data: T


class Page(View):
    """Where a page stands in its list."""

    next: int | None
    """Give this as `cursor` for the page after; null when there is none."""
    kept: int
    """How many rows are kept in memory in all."""
    dropped: int
    """How many older rows are no longer kept; the journal has them."""


class PageEnvelope(View, Generic[T]):
    """A page of a list, of one sequence."""

    sequence: int
    """The last audit tick that the data include."""
    time_engine: Time
    """Engine time at that tick."""
    mode: str
    verification: VerificationView
    data: list[T]
    page: Page


class AuditPage(View):
    """Where a range of ticks stands in the journal."""

    next: int | None
    """Give this as `from` for the ticks after; null when there are none in the range yet."""
    oldest: int
    """The oldest tick that can be read."""
    newest: int
    """The newest tick at the time of reading."""


class AuditEnvelope(View):
    """A range of ticks."""

    sequence: int
    """The last audit tick that the replica has applied."""
    time_engine: Time
    """Engine time at that tick."""
    mode: str
    verification: VerificationView
    data: list[AuditTickView]
    page: AuditPage


have_docstrings(Envelope, PageEnvelope)
