"""Tell again what the archive knows: the events between two ticks, for a reader that was away for long.

A second fold goes on from the newest checkpoint before, in a thread that gives way after every batch, one at a time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, final

from services.audit.api.context import NamesCache
from services.audit.api.stream.changes import BeginsAnew, Changes
from services.audit.api.stream.event import Mark, StreamEvent
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.selection import Selection
from services.audit.api.stream.ticks import events_of, is_only_market
from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.projections.stored import StoredRowsUnreadable
from services.audit.stored_fold import thaw
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.number import enter_engine_context
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.strategies.loading import load_data, load_user_data

_GIVE_WAY_S: Final = 0.0002
"""After each batch: otherwise the thread holds the interpreter for milliseconds at a time, and the replica lags."""


class PastUnavailable(Exception):
    """What a reader asks for cannot be told again; the message says why."""


@final
class PastEvents:
    """Reads events back from the archive in a folder."""

    def __init__(
        self,
        folder: Path,
        stream: str,
        mode: str,
        rows: Limits,
        wait_for: Callable[[int], Awaitable[bool]],
        limits: StreamLimits = LIMITS,
    ) -> None:
        self._folder: Final = folder
        self._stream: Final = stream
        self._mode: Final = mode
        self._rows: Final = rows
        self._limits: Final = limits
        self._wait_for: Final = wait_for
        self._reading: Final = asyncio.Lock()

    async def between(self, selection: Selection, after: Mark, until: int, position: int) -> list[StreamEvent]:
        """Return the selected events behind a mark up to the tick ``until``, all that there were.

        ``position`` is the message of the stream that holds ``until`` at the latest: the archive is waited for. Raises
        PastUnavailable.
        """
        ticks, ticks_max = until - after.sequence, self._limits.past_ticks
        if ticks > ticks_max:
            raise PastUnavailable(f"{ticks} ticks lie between, and no more than {ticks_max} are read again")
        deadline_s = time.monotonic() + self._limits.past_s
        try:
            async with asyncio.timeout(self._limits.past_s), self._reading:
                if not await self._wait_for(position):
                    raise PastUnavailable("the archive does not grow any more")
                return await asyncio.to_thread(self._read, selection, after, until, deadline_s)
        except TimeoutError as error:
            raise PastUnavailable(f"it could not be read within {self._limits.past_s:g} s") from error

    def _read(self, selection: Selection, after: Mark, until: int, deadline_s: float) -> list[StreamEvent]:
        enter_engine_context()
        try:
            archive = Archive(self._folder, self._stream)
            fold = self._begin(after.sequence)
            if fold.position == 0 and archive.first_position > 1:
                raise PastUnavailable("no checkpoint before it is kept, and the archive does not reach its beginning")
            if until - fold.sequence > self._limits.past_ticks:
                raise PastUnavailable(f"{until - fold.sequence} ticks would have to be read")
            told = _Told(fold, selection, after, until)
            for message in archive.messages(fold.position + 1):
                fold.take(message)
                if told.began_anew:
                    raise PastUnavailable("the engine began a new run in between")
                if told.bytes > self._limits.past_bytes:
                    raise PastUnavailable(f"it is more than {self._limits.past_bytes >> 20} MiB")
                if fold.broken is not None:
                    raise PastUnavailable(fold.broken.reason)
                if fold.sequence >= until:
                    return told.events
                if time.monotonic() > deadline_s:
                    raise TimeoutError
                time.sleep(_GIVE_WAY_S)
        except (ArchiveDamaged, ArchiveError, OSError) as error:
            raise PastUnavailable(f"the archive cannot be read: {error}") from error
        raise PastUnavailable(f"the archive ends with tick {fold.sequence}")

    def _begin(self, sequence: int) -> Fold:
        """Return a fold at the newest checkpoint at or before a tick that holds all that a fold needs, else empty."""
        checkpoints = Checkpoints(self._folder)
        for known in reversed(checkpoints.sequences()):
            if known > sequence or not checkpoints.rows_path(known).exists():
                continue
            fold = Fold(load_data, self._rows, self._mode)
            try:
                head, snapshot = checkpoints.read(known, load_data, load_user_data)
                extras, rows = checkpoints.extras(known), checkpoints.rows(known)
                if extras is not None and rows is not None:
                    thaw(fold, head, snapshot, extras, rows, self._rows)
                    return fold
            except (CheckpointDamaged, StoredRowsUnreadable):
                continue  # told by who restores the replica from it; an older one does as well
        return Fold(load_data, self._rows, self._mode)


@final
class _Told:
    """Collects the events of the ticks that a fold of its own applies."""

    def __init__(self, fold: Fold, selection: Selection, after: Mark, until: int) -> None:
        self.events: Final[list[StreamEvent]] = []
        self.bytes = 0
        self.began_anew = False
        self._selection: Final = selection
        self._fold: Final = fold
        self._after: Final = after
        self._until: Final = until
        self._names: Final = NamesCache()
        self._changes: Changes | None = Changes(fold.state) if fold.is_started else None
        fold.watch = self

    def market_end(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> int:
        """Return up to where of plain ticks there is nothing to tell of."""
        return begin if self._changes is None else self._changes.market_end(ticks, begin, end)

    def took_market(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        """Leave out plain ticks: readers that come back are told how the market stands, not each step."""

    def took(self, tick: AuditTick, state: EngineState, *, is_duplicate: bool) -> None:
        """Keep the events of a tick that lies between."""
        if self._changes is None:
            self._changes = Changes(state)
        if tick.sequence > self._until or is_only_market(tick, state, self._changes):
            return
        names = self._names.of(self._fold.numbering_at(tick.sequence))
        try:
            events = events_of(tick, state, self._fold, names, self._changes, is_duplicate=is_duplicate)
        except BeginsAnew:
            self._changes.begin(state)
            self.began_anew = tick.sequence > self._after.sequence
        else:
            found = [event for event in events if event.mark > self._after and self._selection.has(event)]
            self.events.extend(found)
            self.bytes += sum(len(event.data) for event in found)
