"""Write checkpoints and let the dispensable ones go: plain, synchronous, for a thread of its own."""

from typing import Final, final

from services.audit.stored_fold import FrozenFold
from tradebus.crash_points import crash_point
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.thinning import NEWEST_KEPT, dispensable

THIN_AFTER: Final = 32
"""Looking for what can go takes longer the more there are, so it is done after so many writes."""


@final
class CheckpointKeeper:
    """Keeps the checkpoints of one archive. One thread at a time."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints: Final = checkpoints
        self._times_ns: dict[int, int] | None = None
        self._with_rows: list[int] = []
        self._writes = 0

    def write(self, frozen: FrozenFold) -> None:
        """Write a checkpoint, then let go of what is dispensable. Raises OSError."""
        head = frozen.head
        rows = None if frozen.rows is None else frozen.rows()
        self._checkpoints.write(head, frozen.snapshot, frozen.extras(), rows)
        crash_point("audit.after_checkpoint")
        times_ns = self._known()
        times_ns[head.sequence] = head.time_ns
        if rows is not None:
            self._with_rows.append(head.sequence)
            self._drop_rows()
        self._writes += 1
        if rows is not None or self._writes % THIN_AFTER == 0:
            self._thin(times_ns)

    def _known(self) -> dict[int, int]:
        """Return the checkpoints that there are, by tick, with their engine times."""
        if self._times_ns is None:
            found: dict[int, int] = {}
            for sequence in self._checkpoints.sequences():
                try:
                    found[sequence] = self._checkpoints.head(sequence).time_ns
                except CheckpointDamaged:
                    continue  # told when it was to be read, and by every verification; not ours to remove
                if self._checkpoints.rows_path(sequence).exists():
                    self._with_rows.append(sequence)
            self._times_ns = found
        return self._times_ns

    def _drop_rows(self) -> None:
        self._with_rows = sorted(set(self._with_rows))
        for sequence in self._with_rows[:-NEWEST_KEPT]:
            self._checkpoints.drop_rows(sequence)
        del self._with_rows[:-NEWEST_KEPT]

    def _thin(self, times_ns: dict[int, int]) -> None:
        for sequence in dispensable(times_ns):
            if sequence not in self._with_rows:
                self._checkpoints.drop(sequence)
                del times_ns[sequence]
