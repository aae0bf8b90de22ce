"""Rebuild the fold as it was at a tick of the past: the newest checkpoint before it, and the archive from there on.

The last few are kept: who looks at a moment looks at several things of it, and who moves forward from one needs only
the ticks between.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.projections.stored import StoredRowsUnreadable
from services.audit.stored_fold import NumberingCache, thaw
from services.audit.travel.question import TravelSetup
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.past import NotArchived
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire.codec.audit import audit_frames_from_bytes, tick_time_from_bytes

KEPT: Final = 4


class BeforeTheArchive(Exception):
    """A moment before the first tick that the archive has; ``first`` is that tick."""

    def __init__(self, first: int) -> None:
        super().__init__(f"the archive begins with tick {first}")
        self.first: Final = first


@dataclass(slots=True)
class _Moment:
    """A fold of the past, and the ticks of its last batch that are behind it."""

    fold: Fold
    rest: list[AuditTick] = field(default_factory=list)


@final
class Rebuilder:
    """Gives folds of the past. What it gives holds until it is asked again."""

    def __init__(self, setup: TravelSetup) -> None:
        self._folder: Final[Path] = setup.folder
        self._mode: Final = setup.mode
        self._limits: Final[Limits] = setup.limits
        self._risk_free_return: Final = setup.risk_free_return
        self._archive: Final = Archive(setup.folder, setup.stream)
        self._checkpoints: Final = Checkpoints(setup.folder)
        self._numberings: Final = NumberingCache()
        self._moments: Final[OrderedDict[int, _Moment]] = OrderedDict()
        self._listed: list[int] = []
        self._listed_at = -1

    def fold_at(self, sequence: int) -> Fold:
        """Return the fold as it was right after a tick.

        Raises NotArchived, BeforeTheArchive, ArchiveDamaged, JournalDamaged.
        """
        moment = self._moments.pop(sequence, None)
        if moment is None:
            self._archive.refresh()
            known = self._sequences()
            behind = [each for each in known if each <= sequence]
            moment = self._passed(behind[-1] if behind else -1, sequence) or self._begin(behind)
            self._advance(moment, sequence)
        self._moments[sequence] = moment
        if len(self._moments) > KEPT:
            self._moments.popitem(last=False)
        return moment.fold

    def sequence_at(self, time_ns: int) -> int:
        """Return the last tick at an engine time. Raises BeforeTheArchive, NotArchived for an empty archive."""
        self._archive.refresh()
        position = self._archive.position_of_time(time_ns + 1)
        if position is None:
            last = self._archive.last_place()
            if last is None:
                raise NotArchived(0, -1)
            return last.place.head.last_sequence
        for message in self._archive.messages(position):
            frames = audit_frames_from_bytes(message.payload)
            for number, tick in enumerate(frames.ticks, start=frames.head.first_sequence):
                if tick_time_from_bytes(tick) > time_ns:
                    if number == self._first():
                        raise BeforeTheArchive(number)
                    return number - 1
        raise NotArchived(0, -1)

    # ------------------------------------------------------------------------------ inside

    def _sequences(self) -> list[int]:
        """Return the checkpoints that there are; the folder is read again when it has changed."""
        folder = self._checkpoints.path(0).parent
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        if changed != self._listed_at:
            self._listed = self._checkpoints.sequences()
            self._listed_at = changed
        return self._listed

    def _passed(self, checkpoint: int, sequence: int) -> _Moment | None:
        """Return the kept fold that is nearest before a tick, if no checkpoint is nearer."""
        before = [each for each in self._moments if checkpoint <= each < sequence]
        return self._moments.pop(max(before)) if before else None

    def _begin(self, behind: list[int]) -> _Moment:
        """Return a fold at the newest sound one of these checkpoints, else an empty one."""
        for sequence in reversed(behind):
            fold = self._empty()
            try:
                head, snapshot = self._checkpoints.read(sequence, load_data, load_user_data)
                extras = self._checkpoints.extras(sequence)
                if extras is None:
                    continue
                thaw(fold, head, snapshot, extras, None, self._limits, self._numberings)
            except (CheckpointDamaged, StoredRowsUnreadable):
                continue  # an older one does; damage is told by every verification
            return _Moment(fold)
        if self._archive.first_position > 1:
            raise BeforeTheArchive(self._first())
        return _Moment(self._empty())

    def _empty(self) -> Fold:
        fold = Fold(load_data, self._limits, self._mode)
        fold.risk_free_return = self._risk_free_return
        return fold

    def _advance(self, moment: _Moment, sequence: int) -> None:
        fold = moment.fold
        moment.rest = fold.take_rest(moment.rest, sequence)
        if fold.sequence == sequence:
            return
        for message in self._archive.messages(fold.position + 1):
            moment.rest = fold.take_until(message, sequence)
            if fold.sequence == sequence:
                return
        raise NotArchived(sequence, fold.sequence)

    def _first(self) -> int:
        for path in self._archive.paths:
            places = self._archive.places(path)
            if places:
                return places[0].head.first_sequence
        return 0
