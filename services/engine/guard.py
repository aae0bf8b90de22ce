"""Guard the journal of an engine: only who leads may write to it, and snapshots follow what is in it."""

from typing import Final, final

from services.engine.leadership import Leadership
from services.engine.snapshotting import Snapshotting
from services.runtime import Json


@final
class JournalGuard:
    """The lead and the snapshots of an engine; either may be missing."""

    def __init__(self, snapshots: Snapshotting | None = None, lead: Leadership | None = None) -> None:
        self.snapshots: Final = snapshots
        self.lead: Final = lead

    def may_write(self) -> bool:
        """Tell whether this process may append now."""
        return self.lead is None or self.lead.is_held

    async def finish(self) -> None:
        """Wait for the last snapshot, then let another lead; to be called when the journal is written."""
        if self.snapshots is not None:
            await self.snapshots.finish()
        if self.lead is not None:
            await self.lead.leave()

    def status(self) -> dict[str, Json]:
        """Return where the snapshots stand."""
        if self.snapshots is None:
            return {}
        return {
            "snapshot_sequence": self.snapshots.sequence,
            "snapshot_proven_sequence": self.snapshots.proven_sequence,
            "snapshot_encode_us": self.snapshots.encode_ns // 1_000,
        }
