"""Show where the journal begins and ends, and what is missing of it."""

from services.audit.api.views.base import View
from services.audit.api.views.diff import MomentView


class JournalBoundsView(View):
    """Which ticks can be read."""

    oldest: MomentView
    newest: MomentView
    run_first: int
    """The tick that the engine's present run began with."""
    archived: int | None
    """The last tick that is archived and on disk; null where nothing is archived."""


class JournalGapView(View):
    """Ticks that are missing in the archive, and so in what can be read of the past."""

    first: int
    last: int
