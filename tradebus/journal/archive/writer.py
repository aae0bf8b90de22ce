"""Write an archive: batches in, compressed chunks on disk, synced before anybody may rely on them.

One chunk at a time is written and fsynced, so that a crash can tear the last one only. Opening finds what is torn and
cuts it off; a sound chunk is never cut.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from tradebus.journal.archive.chunk import CHUNK_BYTES, Stored, pack, unpack
from tradebus.journal.archive.damage import ArchiveError, Damage
from tradebus.journal.archive.durable import replace_file, sync_folder
from tradebus.journal.archive.files import LOCK, SEGMENTS, segment_files
from tradebus.journal.archive.index import index_path, write_index
from tradebus.journal.archive.layout import (
    CHUNK_HEAD_BYTES,
    ChunkHead,
    SegmentHead,
    segment_head_to_bytes,
    segment_name,
)
from tradebus.journal.archive.scan import Place, Scan, scan_segment
from tradebus.wire.codec.audit import audit_frames_from_bytes
from tradebus.wire.integrity import CHAIN_HEADER

SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""A segment that holds so many bytes, before compression, is finished and the next one begun."""


TORN_SUFFIX: Final = ".torn"
UNFINISHED_BYTES_MAX: Final = 4 * 1024 * 1024
"""What one unfinished write can leave at the end; where more is not sound, it is put aside before it is cut off."""


@dataclass(frozen=True, slots=True)
class ArchiveEnd:
    """The last batch of an archive: stream sequence, last tick, chain hash and the engine time of that tick."""

    position: int
    sequence: int
    chain: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening an archive found: where it ends, and a torn end that was cut off, if there was one.

    ``damages`` are those of the last segment; the others are not looked into.
    """

    end: ArchiveEnd | None
    cut: Damage | None
    damages: tuple[Damage, ...]


@final
class ArchiveWriter:
    """The only writer of the archive in a folder; another one is refused while this one has it open.

    ``end`` is the last batch that is on disk, ``waiting_bytes`` how much was appended since, before compression. Plain
    and synchronous: whoever has an event loop calls ``flush`` in a thread.
    """

    def __init__(self, folder: Path, stream: str, subject: str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder: Final = folder
        self.end: ArchiveEnd | None = None
        self.waiting_bytes = 0
        self.bytes_plain = 0
        """Of all chunks written since opening, before compression."""
        self.bytes_stored = 0
        self._stream: Final = stream
        self._subject: Final = subject
        self._segment_bytes: Final = segment_bytes
        self._waiting: list[Stored] = []
        self._last: tuple[int, int] | None = None
        self._gap_before = 0
        self._segment: Path | None = None
        self._places: list[Place] = []
        self._size = 0
        self._plain = 0
        self._file: int | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Opened:
        """Open the archive, once, made if there is none; cut off what a crash left unfinished.

        Raises ArchiveError for one of another stream or one that somebody else writes, OSError.
        """
        (self.folder / SEGMENTS).mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(self.folder)
        cut: Damage | None = None
        damages: tuple[Damage, ...] = ()
        paths = segment_files(self.folder)
        while paths and self.end is None:
            scan = scan_segment(paths.pop())
            cut = scan.tail or cut
            if scan.places:
                damages = tuple(scan.damages)
                self._cut(scan)
                self._go_on(scan)
            else:
                # Begun, and nothing of it durable when the machine stopped. Put aside, because it might be worse.
                scan.path.rename(scan.path.with_suffix(TORN_SUFFIX))
        for path in paths:
            if not index_path(path).exists():
                scan = scan_segment(path)
                write_index(path, path.stat().st_size, scan.places)
        return Opened(self.end, cut, damages)

    def append(self, batch: Stored, *, behind_gap: bool = False) -> None:
        """Take the next batch; it is on disk after the next ``flush``. Raises ArchiveError when it does not follow.

        ``behind_gap`` allows batches to be missing before it, which every later verification will name.
        """
        position = batch.message.sequence
        if behind_gap:
            if self._waiting:
                raise ArchiveError("expected nothing to wait where a gap begins: flush first")
            self._gap_before = position
        elif self._last is not None and (position, batch.first_sequence) != (self._last[0] + 1, self._last[1] + 1):
            expected = f"batch {self._last[0] + 1} with tick {self._last[1] + 1}"
            raise ArchiveError(f"expected {expected}, found batch {position} with tick {batch.first_sequence}")
        if (batch.message.stream, batch.message.subject) != (self._stream, self._subject):
            raise ArchiveError(f"expected a batch of {self._stream}, found one of {batch.message.stream}")
        self._waiting.append(batch)
        self._last = (position, batch.last_sequence)
        self.waiting_bytes += batch.plain_bytes

    def flush(self) -> ArchiveEnd | None:
        """Write everything that waits, chunk by chunk, each synced, and return the end of the archive.

        Raises OSError; what could not be written waits on, and the file ends with its last sound chunk again.
        """
        while self._waiting:
            count, size = 0, 0
            while count < len(self._waiting) and size < CHUNK_BYTES:
                size += self._waiting[count].plain_bytes
                count += 1
            self._write(self._waiting[:count])
            del self._waiting[:count]
            self.waiting_bytes = max(0, self.waiting_bytes - size)
        return self.end

    def close(self) -> None:
        """Let go of the files; what waits is not written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ------------------------------------------------------------------------------ inside

    def _cut(self, scan: Scan) -> None:
        if scan.tail is None:
            return
        with scan.path.open("rb+") as file:
            if scan.tail.length > UNFINISHED_BYTES_MAX:
                file.seek(scan.end)
                replace_file(scan.path.with_suffix(f".{scan.end}{TORN_SUFFIX}"), file.read())
            file.truncate(scan.end)
            os.fsync(file.fileno())

    def _go_on(self, scan: Scan) -> None:
        """Go on behind the last sound chunk of the last segment."""
        if scan.head is not None and scan.head.stream != self._stream:
            found = scan.head.stream
            raise ArchiveError(f"{self.folder}: expected the archive of {self._stream}, found that of {found}")
        last = scan.places[-1]
        with scan.path.open("rb") as file:
            file.seek(last.offset + CHUNK_HEAD_BYTES)
            stored = file.read(last.head.stored_bytes)
        batch = unpack(self._stream, self._subject, last.head, stored)[-1]
        self._note(last.head, (batch.headers or {}).get(CHAIN_HEADER, ""))
        self._last = (last.head.last_position, last.head.last_sequence)
        self._segment = scan.path
        self._places = scan.places
        self._size = scan.end
        self._plain = sum(place.head.plain_bytes for place in scan.places)
        self._file = os.open(scan.path, os.O_RDWR)
        if scan.head is None or index_path(scan.path).exists():
            # One without a head can hold no more, and one with an index was finished.
            self._finish_segment()

    def _write(self, batches: list[Stored]) -> None:
        if self._plain >= self._segment_bytes or self._gap_before == batches[0].message.sequence:
            self._finish_segment()
            self._gap_before = 0
        head, content = pack(batches)
        try:
            if self._file is None:
                self._begin_segment(batches[0])
            assert self._file is not None
            _write_all(self._file, content, self._size)
            os.fsync(self._file)
        except OSError:
            self._retreat()
            raise
        self._places.append(Place(self._size, head))
        self._size += len(content)
        self._plain += head.plain_bytes
        self.bytes_plain += head.plain_bytes
        self.bytes_stored += len(content)
        self._note(head, (batches[-1].message.headers or {}).get(CHAIN_HEADER, ""))

    def _note(self, head: ChunkHead, chain: str) -> None:
        self.end = ArchiveEnd(head.last_position, head.last_sequence, chain, head.last_time_ns)

    def _begin_segment(self, first: Stored) -> None:
        message = first.message
        frames = audit_frames_from_bytes(message.payload)
        head = SegmentHead(
            self._stream,
            self._subject,
            frames.head.engine_id,
            message.sequence,
            first.first_sequence,
            frames.head.previous_chain.hex(),
        )
        path = self.folder / SEGMENTS / segment_name(message.sequence)
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
        self._segment, self._places, self._size, self._plain = path, [], 0, 0
        content = segment_head_to_bytes(head)
        _write_all(self._file, content, 0)
        sync_folder(path.parent)
        self._size = len(content)

    def _finish_segment(self) -> None:
        if self._file is None or self._segment is None:
            return
        write_index(self._segment, self._size, self._places)
        os.close(self._file)
        self._file = None
        self._segment = None
        self._plain = 0

    def _retreat(self) -> None:
        """Take back a chunk whose writing or syncing failed: what a failed sync left is not to be relied upon."""
        if self._file is None:
            return
        if self._places:
            os.ftruncate(self._file, self._size)
        else:
            os.close(self._file)
            self._file = None  # begun anew by the next attempt


def take_lock(folder: Path) -> int:
    """Return the open lock of an archive, as its only writer until it is closed. Raises ArchiveError when taken."""
    lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ArchiveError(f"{folder}: somebody else writes this archive, an audit service perhaps") from None
    return lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of an archive for a while. Raises ArchiveError."""
    lock = take_lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _write_all(file: int, content: bytes, at: int) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(file, content[written:], at + written)
