"""Bring the engine's journal into the archive: everything that the stream holds, verified, and soon on disk.

It reads the stream by itself, so that neither a slow replica nor a replica that has stopped keeps anything out of the
archive, and an archive whose disk is full does not hold up the replica. What it believes is what the chain proves:
checksum, chain hash, the link to the batch before, ticks without a hole. How far it is on disk it says in the bucket
``positions``; the pruner drops nothing behind that.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.audit.config import ArchiveConfig
from services.audit.metrics import AuditMetrics
from services.runtime import Json
from services.runtime.health import Health
from tradebus.bus.errors import BusError, BusUnavailable, JournalPruned, NoJournal
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage
from tradebus.crash_points import crash_point
from tradebus.journal.archive.chunk import CHUNK_BYTES, Stored
from tradebus.journal.archive.damage import ArchiveError
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.lineage import Lineage, lineage
from tradebus.journal.archive.writer import ArchiveEnd, ArchiveWriter, Opened
from tradebus.journal.positions import JournalMark, PositionsUnreadable, publish_positions, read_positions
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects

ARCHIVE: Final = "archive"
"""Its name among the reasons for not being ready."""

WAITING_BYTES_MAX: Final = 16 * CHUNK_BYTES
"""So much may wait to be written; then reading waits, which the broker notices and slows down."""
RETRY_WAIT_S: Final = 0.2


@final
class Archivist:
    """Writes the archive of one stream. ``end`` is its last batch on disk, None while it is empty."""

    def __init__(
        self,
        bus: Bus,
        config: ArchiveConfig,
        instance: str,
        metrics: AuditMetrics,
        health: Health,
        log: BoundLogger,
    ) -> None:
        self._bus: Final = bus
        self._config: Final = config
        self._stream: Final = subjects.audit_stream(config.engine)
        self._instance: Final = instance
        self._metrics: Final = metrics
        self._health: Final = health
        self._log: Final = log
        self._writer = self._new_writer()
        self._verifier = FrameVerifier()
        self._reader: JournalReader | None = None
        self._waiting: list[Stored] = []
        self._waiting_bytes = 0
        self._gap_before: int | None = None
        self._has_work: Final = asyncio.Event()
        self._is_full: Final = asyncio.Event()
        self._has_room: Final = asyncio.Event()
        self._was_written: Final = asyncio.Event()
        """Set and cleared again at each write, for who waits for one."""
        self._writing: Final = asyncio.Lock()
        self._published: ArchiveEnd | None = None
        self._is_stopping = False
        self.end: ArchiveEnd | None = None
        self.is_stopped_by = ""
        """Why nothing is archived any more, empty while all is well."""

    # ------------------------------------------------------------------------------ life

    async def open(self) -> Lineage:
        """Open the archive and compare it with the stream, which must exist. Waits for the broker.

        Raises ArchiveError, OSError.
        """
        await self._open_writer()
        found = await self._lineage()
        if found is Lineage.FOREIGN and self._config.sets_aside:
            await self._set_aside()
            found = Lineage.CONTINUES
        if found is Lineage.FOREIGN:
            self._stop(
                "foreign",
                f"the stream {self._stream} is not the one that is archived in {self._config.folder}: move that folder "
                f"away to begin a new archive, or repair the stream from it (tradebus audit repair)",
            )
        if self.end is not None:
            await self._check_published(self.end)
        return found

    async def run(self) -> None:
        """Archive until cancelled; the stream's end must be behind the archive's, or it waits until it is."""
        if self.is_stopped_by:
            return
        while await self._lineage() is Lineage.BEHIND:
            self._health.trouble(
                ARCHIVE,
                f"the stream {self._stream} ends before the archive, which has message {self._last_position()}: stop "
                f"the engine and repair the stream (tradebus audit repair)",
            )
            await asyncio.sleep(RETRY_WAIT_S)
        self._health.clear(ARCHIVE)
        await self._begin_reading()
        while True:
            await self._has_work.wait()
            await self._gather()
            self._has_work.clear()
            await self._write()

    async def stop(self) -> None:
        """Stop reading, write what was read, and let go of the files."""
        self._is_stopping = True
        if self._reader is not None:
            await self._reader.stop()
        if not self.is_stopped_by:
            await self._write()
        self._writer.close()

    def status(self) -> dict[str, Json]:
        """Return how far the journal is archived."""
        end = self.end
        return {
            "position": 0 if end is None else end.position,
            "sequence": None if end is None else end.sequence,
            "chain": "" if end is None else end.chain,
            "waiting_bytes": self._waiting_bytes,
            "stopped_by": self.is_stopped_by,
        }

    async def wait_for(self, position: int) -> bool:
        """Return once a message is archived and on disk; False when that will not happen."""
        while not self.is_stopped_by:
            if self.end is not None and self.end.position >= position:
                return True
            await asyncio.sleep(self._config.sync_s / 4)
        return False

    async def bring(self, sequence: int, timeout_s: float) -> bool:
        """Have a tick on disk soon, as somebody waits for it; tell whether it is there within ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.end is None or self.end.sequence < sequence:
                    if self.is_stopped_by:
                        return False
                    self._is_full.set()
                    await self._was_written.wait()
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------------------------ opening

    def _new_writer(self) -> ArchiveWriter:
        engine = self._config.engine
        return ArchiveWriter(
            self._config.folder,
            subjects.audit_stream(engine),
            subjects.audit(engine),
            segment_bytes=self._config.segment_bytes,
        )

    async def _open_writer(self) -> None:
        opened: Opened = await asyncio.to_thread(self._writer.open)
        if opened.cut is not None:
            self._log.warning("unfinished end of the archive cut off", place=str(opened.cut))
        for damage in opened.damages:
            self._metrics.archive_troubles.labels("damage").inc()
            self._log.error("the archive is damaged", place=str(damage))
        self.end = opened.end
        end = opened.end
        if end is not None:
            self._verifier = FrameVerifier(position=end.position, chain=end.chain, sequence=end.sequence)
            self._note_end(end)
        self._log.info("archive open", folder=str(self._config.folder), position=self._last_position())

    async def _lineage(self) -> Lineage:
        while True:
            try:
                return await lineage(self._bus, self._stream, self._config.folder, self.end)
            except (NoJournal, BusUnavailable) as error:
                self._health.trouble(ARCHIVE, f"the stream cannot be compared with the archive: {error}")
                await asyncio.sleep(RETRY_WAIT_S)
                self._health.clear(ARCHIVE)

    async def _set_aside(self) -> None:
        self._writer.close()
        folder = self._config.folder
        number = 1
        while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
            number += 1
        await asyncio.to_thread(folder.rename, aside)
        self._metrics.archive_troubles.labels("foreign").inc()
        self._log.warning("the stream is a new one: its old archive was put aside", folder=str(aside))
        self._writer = self._new_writer()
        self._verifier = FrameVerifier()
        self.end = None
        await self._open_writer()

    async def _check_published(self, end: ArchiveEnd) -> None:
        """Tell when the archive ends before what it once had on disk: then the disk lost something."""
        try:
            positions = await read_positions(self._bus, subjects.archive_reader(self._config.engine))
        except (BusError, PositionsUnreadable) as error:
            self._log.warning("the archive's position cannot be read", reason=str(error))
            return
        mark = None if positions is None else positions.mark(self._stream)
        if mark is not None and mark.position > end.position:
            self._metrics.archive_troubles.labels("lost").inc()
            self._log.error("the archive lost its end", archived=mark.position, found=end.position)

    # ------------------------------------------------------------------------------ reading

    async def _begin_reading(self) -> None:
        while True:
            position = self._verifier.position
            try:
                self._reader = await self._bus.consume(self._stream, position + 1, self._take)
            except JournalPruned as error:
                self._gap(error.first)
            except (NoJournal, BusUnavailable) as error:
                self._health.trouble(ARCHIVE, f"the stream cannot be archived: {error}")
                await asyncio.sleep(RETRY_WAIT_S)
            else:
                self._health.clear(ARCHIVE)
                return

    def _gap(self, first: int) -> None:
        """Go on behind what the stream no longer has and the archive never got."""
        if self.end is not None:
            missing = f"messages {self._last_position() + 1} to {first - 1}"
            self._metrics.archive_troubles.labels("gap").inc()
            self._log.error("the archive has a gap", stream=self._stream, missing=missing)
            self._gap_before = first
        self._verifier = FrameVerifier.behind_gap(first)

    async def _take(self, message: JournalMessage) -> None:
        if self.is_stopped_by:
            return
        try:
            stored = self._verifier.accept(message)
        except JournalDamaged as error:
            again = await self._read_again(message)
            if again is None:
                self._stop("damage", f"the stream is damaged, message {message.sequence}: {error.reason}")
                return
            stored = again
        self._waiting.append(stored)
        self._waiting_bytes += stored.plain_bytes
        self._has_work.set()
        if self._waiting_bytes >= CHUNK_BYTES:
            self._is_full.set()
            self._has_room.clear()
        while self._waiting_bytes >= WAITING_BYTES_MAX and not self.is_stopped_by:
            await self._has_room.wait()

    async def _read_again(self, message: JournalMessage) -> Stored | None:
        """Ask for a message that came damaged once more: it may have been so on its way only."""
        try:
            again = await self._bus.message(self._stream, message.sequence)
            return None if again is None else self._verifier.accept(again)
        except (JournalDamaged, BusError):
            return None

    # ------------------------------------------------------------------------------ writing

    async def _gather(self) -> None:
        """Let more come for a while, so that a chunk is worth its sync; a full one need not wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._config.sync_s):
                await self._is_full.wait()

    async def _write(self) -> None:
        async with self._writing:
            batches, self._waiting = self._waiting, []
            self._waiting_bytes = 0
            self._is_full.clear()
            gap, self._gap_before = self._gap_before, None
            began_s = time.monotonic()
            end: ArchiveEnd | None = None
            while True:
                try:
                    end = await asyncio.to_thread(self._write_all, batches, gap)
                except OSError as error:
                    batches, gap = [], None  # the writer has them
                    self._metrics.archive_troubles.labels("write").inc()
                    self._health.trouble(ARCHIVE, f"the archive cannot be written: {error.strerror or error}")
                    self._log.error("the archive cannot be written", reason=str(error))
                    if self._is_stopping:
                        return
                    await asyncio.sleep(RETRY_WAIT_S)
                except ArchiveError as error:
                    self._stop("order", str(error))
                    return
                else:
                    break
            self._has_room.set()
            self._metrics.archive_sync.observe(time.monotonic() - began_s)
            self._health.clear(ARCHIVE)
            if end is not None:
                self._note_end(end)
        await self._publish()

    def _write_all(self, batches: list[Stored], gap: int | None) -> ArchiveEnd | None:
        """Write, in a thread of its own: compression and sync take their time."""
        crash_point("audit.before_archive")
        for batch in batches:
            self._writer.append(batch, behind_gap=batch.message.sequence == gap)
        plain, stored = self._writer.bytes_plain, self._writer.bytes_stored
        end = self._writer.flush()
        self._metrics.archive_bytes.labels("plain").inc(self._writer.bytes_plain - plain)
        self._metrics.archive_bytes.labels("stored").inc(self._writer.bytes_stored - stored)
        crash_point("audit.after_archive")
        return end

    def _note_end(self, end: ArchiveEnd) -> None:
        self.end = end
        self._was_written.set()
        self._was_written.clear()
        self._metrics.archive_position.set(end.position)
        self._metrics.archive_sequence.set(end.sequence)

    async def _publish(self) -> None:
        end = self.end
        if end is None or end == self._published:
            return
        mark = JournalMark(self._stream, end.position, end.chain, end.sequence + 1)
        try:
            await publish_positions(self._bus, subjects.archive_reader(self._config.engine), self._instance, (mark,))
        except BusError as error:
            self._log.debug("the archive's position cannot be published", reason=str(error))
            return
        self._published = end

    def _last_position(self) -> int:
        return 0 if self.end is None else self.end.position

    def _stop(self, kind: str, reason: str) -> None:
        """Archive nothing more: what follows could not be proven."""
        self.is_stopped_by = reason
        self._has_room.set()
        self._metrics.archive_troubles.labels(kind).inc()
        self._log.error("archiving stopped", kind=kind, reason=reason)
        self._health.trouble(ARCHIVE, reason)
