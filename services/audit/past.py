"""Begin where an earlier process ended: newest checkpoint, then archive; and write the next checkpoints."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.archivist import Archivist
from services.audit.checkpointing import CheckpointKeeper
from services.audit.config import ArchiveConfig, Limits
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics
from services.audit.projections.stored import StoredRowsUnreadable
from services.audit.stored_fold import FrozenFold, freeze, thaw
from tradebus.bus.message import JournalMessage
from tradebus.core.model.number import enter_engine_context
from tradebus.journal.archive.archive import Archive, Chunk
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire import subjects
from tradebus.wire.codec.error import EncodeError

REST_FACTOR: Final = 10
"""After a checkpoint none is taken for so many times the time that it took: under load they must not eat the core."""
STATE_TICKS: Final = 5_000
"""A state is kept after so many ticks, without rows, so that any other is a fraction of a second away."""
STATE_REST_FACTOR: Final = 50
"""Copying the state keeps the replica from following: it may take a fiftieth of the time."""


@final
class Past:
    """The archive and the checkpoints as the replica uses them."""

    def __init__(
        self,
        config: ArchiveConfig,
        fold: Fold,
        limits: Limits,
        archivist: Archivist,
        metrics: AuditMetrics,
        log: BoundLogger,
    ) -> None:
        self._config: Final = config
        self._fold: Final = fold
        self._limits: Final = limits
        self._archivist: Final = archivist
        self._metrics: Final = metrics
        self._log: Final = log
        self._stream: Final = subjects.audit_stream(config.engine)
        self._checkpoints: Final = Checkpoints(config.folder)
        self._keeper: Final = CheckpointKeeper(self._checkpoints)
        self._ticks_since = 0
        self._ticks_since_rows = 0
        self._state_not_before_s = 0.0
        self._frozen: FrozenFold | None = None
        self._is_due: Final = asyncio.Event()
        self._writing: Final = asyncio.Lock()
        self._damaged_at = 0
        self._not_before_s = 0.0

    # ------------------------------------------------------------------------------ beginning

    async def restore(self) -> None:
        """Go on from the newest checkpoint that is sound, complete and no further than the archive."""
        end = self._archivist.end
        for sequence in reversed(await asyncio.to_thread(self._checkpoints.sequences)):
            if end is None or sequence > end.sequence or not self._checkpoints.rows_path(sequence).exists():
                continue
            try:
                head, snapshot = self._checkpoints.read(sequence, load_data, load_user_data)
                extras, rows = self._checkpoints.extras(sequence), self._checkpoints.rows(sequence)
                if extras is None or rows is None:
                    continue
                thaw(self._fold, head, snapshot, extras, rows, self._limits)
            except CheckpointDamaged as error:
                self._metrics.archive_troubles.labels("damage").inc()
                self._log.error("a checkpoint is damaged", place=str(error.damage))
            except StoredRowsUnreadable as error:
                self._log.warning("a checkpoint cannot be used", sequence=sequence, reason=str(error))
            else:
                self._log.info("checkpoint taken up", sequence=sequence, position=head.position)
                return

    async def replay(self, take: Callable[[JournalMessage], Awaitable[None]]) -> None:
        """Hand over what the archive has behind the fold; damage ends it, and is told."""
        if self._archivist.end is None or self._fold.position >= self._archivist.end.position:
            return
        try:
            archive = await asyncio.to_thread(Archive, self._config.folder, self._stream)
            chunks = archive.chunks(self._fold.position + 1)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await self._hand_over(archive, chunk, take)
        except ArchiveDamaged as error:
            self._damaged_at = self._fold.position + 1
            self._metrics.archive_troubles.labels("damage").inc()
            self._log.error("the archive is damaged", place=str(error.damage))
        except (ArchiveError, OSError) as error:
            self._damaged_at = self._fold.position + 1
            self._log.error("the archive cannot be read", reason=str(error))

    def reaches(self, position: int) -> bool:
        """Tell whether the archive has a message, as far as is known."""
        end = self._archivist.end
        return end is not None and position <= end.position and position != self._damaged_at

    async def _hand_over(
        self, archive: Archive, chunk: Chunk, take: Callable[[JournalMessage], Awaitable[None]]
    ) -> None:
        for message in await asyncio.to_thread(archive.read, chunk):
            if message.sequence > self._fold.position and self._fold.broken is None:
                await take(message)

    # ------------------------------------------------------------------------------ checkpoints

    def took(self, ticks: int) -> None:
        """Take note of ticks in the fold; when enough have come, freeze it for the next checkpoint."""
        self._ticks_since += ticks
        self._ticks_since_rows += ticks
        has_rows = self._ticks_since_rows >= self._config.checkpoint_ticks
        if self._frozen is not None or not (has_rows or self._ticks_since >= STATE_TICKS):
            return
        now_s = time.monotonic()
        if has_rows and now_s >= self._not_before_s:
            self._freeze(with_rows=True)
        elif self._ticks_since >= STATE_TICKS and now_s >= self._state_not_before_s:
            self._freeze(with_rows=False)
            ended_s = time.monotonic()
            self._state_not_before_s = ended_s + STATE_REST_FACTOR * (ended_s - now_s)

    def freeze_last(self) -> None:
        """Freeze the fold as it stands at the end, unless it is what was frozen last."""
        if self._ticks_since_rows:
            self._freeze(with_rows=True)

    async def run(self) -> None:
        """Write checkpoints when they are due, until cancelled."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            await self.write()

    async def write(self) -> None:
        """Write what was frozen once the archive reaches as far; a failed write is told and left to the next one."""
        async with self._writing:  # the last one is asked for while the one before may be under way
            frozen, self._frozen = self._frozen, None
            if frozen is not None:
                await self._write_one(frozen)

    async def _write_one(self, frozen: FrozenFold) -> None:
        if await self._archivist.wait_for(frozen.head.position):
            began_s = time.monotonic()
            try:
                await asyncio.to_thread(self._keeper.write, frozen)
            except OSError as error:
                self._metrics.archive_troubles.labels("write").inc()
                self._log.error("a checkpoint cannot be written", reason=str(error))
            else:
                now_s = time.monotonic()
                self._metrics.checkpoints.inc()
                if frozen.rows is not None:
                    self._not_before_s = now_s + REST_FACTOR * (now_s - began_s)
                    self._log.info("checkpoint written", sequence=frozen.head.sequence, position=frozen.head.position)

    def _freeze(self, *, with_rows: bool) -> None:
        fold = self._fold
        if not fold.is_started or not fold.is_exact:
            return
        enter_engine_context()
        self._ticks_since = 0
        if with_rows:
            self._ticks_since_rows = 0
        try:
            self._frozen = freeze(fold, self._stream, with_rows=with_rows)
        except EncodeError as error:
            # Users' data that holds what it must not: the engine halts who keeps it, the journal goes on.
            self._metrics.archive_troubles.labels("write").inc()
            self._log.error("the state cannot be kept as a checkpoint", sequence=fold.sequence, reason=str(error))
            return
        self._is_due.set()
