"""Repair an archive from the stream, and a stream that lost its end from the archive: first a plan, then the work.

Nothing is thrown away: a segment that is written anew leaves its old file beside it. A stream takes no replacement for
a message it holds, so what is damaged inside it stays; its place in the archive is what counts then.
"""

import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.archive import Archive, Chunk
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.damage import ArchiveDamaged
from tradebus.journal.archive.durable import sync_folder
from tradebus.journal.archive.files import SEGMENTS
from tradebus.journal.archive.index import index_path, write_index
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.layout import segment_name
from tradebus.journal.archive.scan import scan_segment
from tradebus.journal.archive.survey import Segment, survey
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.journal.verify import JournalDamaged

FetchBatches: TypeAlias = Callable[[int, int], Awaitable[list[JournalMessage]]]
"""Returns what the stream has of the batches from one position to another, in order."""

DAMAGED_SUFFIX: Final = ".damaged"
_WORK: Final = ".repair"


@dataclass(frozen=True, slots=True)
class SegmentRepair:
    """What can be done about one segment: the batches that are lost in it, and which of them the stream still has."""

    segment: Segment
    lost: tuple[tuple[int, int], ...]
    held: tuple[tuple[int, int], ...]

    @property
    def gone(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges of batches that nobody has."""
        return tuple(_without(self.lost, self.held))


def plan_archive(archive: Archive, stream_first: int, stream_last: int) -> list[SegmentRepair]:
    """Return what can be repaired with a stream that holds these messages (last 0: none). Raises OSError."""
    plans: list[SegmentRepair] = []
    for segment in survey(archive):
        if not segment.damages:
            continue
        readable = [
            (place.head.first_position, place.head.last_position)
            for place in segment.places
            if _is_readable(archive, Chunk(segment.path, place))
        ]
        lost = tuple(_without([(segment.first_position, segment.last_position)], readable))
        held = tuple(
            (max(first, stream_first), min(last, stream_last))
            for first, last in lost
            if max(first, stream_first) <= min(last, stream_last)
        )
        plans.append(SegmentRepair(segment, lost, held))
    return plans


async def repair_segment(archive: Archive, plan: SegmentRepair, fetch: FetchBatches) -> int:
    """Write a segment anew with what it still has and what the stream has; return how many batches were brought back.

    What nobody has stays a gap. Raises JournalDamaged when the stream's batches do not fit, OSError.
    """
    segment = plan.segment
    messages: dict[int, JournalMessage] = {}
    for place in segment.places:
        try:
            messages |= {message.sequence: message for message in archive.read(Chunk(segment.path, place))}
        except ArchiveDamaged:
            continue
    found = 0
    for first, last in plan.held:
        for message in await fetch(first, last):
            found += message.sequence not in messages
            messages[message.sequence] = message
    if plan.lost and not found:
        return 0
    if any(damage.path == segment.path for damage in segment.damages):
        _rewrite(archive, segment, [messages[position] for position in sorted(messages)])
    else:
        _reindex(segment.path)
    archive.refresh()
    return found


def drop_checkpoints(folder: Path, after_sequence: int) -> list[str]:
    """Put aside checkpoints that are damaged or stand behind the archive's last tick; return their names."""
    checkpoints = Checkpoints(folder)
    bad = {damage.path for damage in checkpoints.damages()}
    bad |= {checkpoints.path(sequence) for sequence in checkpoints.sequences() if sequence > after_sequence}
    for path in sorted(bad):
        path.rename(path.with_suffix(path.suffix + DAMAGED_SUFFIX))
    if bad:
        sync_folder(checkpoints.path(0).parent)
    return sorted(path.name for path in bad)


def _rewrite(archive: Archive, segment: Segment, messages: list[JournalMessage]) -> None:
    """Write the batches as files of their own, one for each range without a gap, then put them in place of the old."""
    work = archive.folder / _WORK
    shutil.rmtree(work, ignore_errors=True)
    verifier = FrameVerifier.behind_gap(messages[0].sequence)
    with ArchiveWriter(work, archive.stream, archive.subject, segment_bytes=1 << 62) as writer:
        expected = messages[0].sequence
        for message in messages:
            has_gap = message.sequence != expected
            if has_gap:
                writer.flush()
                verifier = FrameVerifier.behind_gap(message.sequence)
            writer.append(verifier.accept(message), behind_gap=has_gap)
            expected = message.sequence + 1
        writer.flush()
    target = segment.path.parent
    kept = segment.path.with_suffix(DAMAGED_SUFFIX)
    segment.path.rename(kept)
    index_path(segment.path).unlink(missing_ok=True)
    for path in sorted((work / SEGMENTS).iterdir()):
        path.rename(target / path.name)
    sync_folder(target)
    shutil.rmtree(work)
    if not (target / segment_name(segment.last_position + 1)).exists():
        return
    for path in target.glob("*.tba"):
        if not index_path(path).exists() and path != max(target.glob("*.tba")):
            _reindex(path)


def _reindex(path: Path) -> None:
    write_index(path, path.stat().st_size, scan_segment(path).places)


def _is_readable(archive: Archive, chunk: Chunk) -> bool:
    try:
        archive.read(chunk)
    except ArchiveDamaged:
        return False
    return True


def _without(ranges: Iterable[tuple[int, int]], taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what is left of ranges, both ends included, without others."""
    left = list(ranges)
    for first_taken, last_taken in taken:
        left = [
            part
            for first, last in left
            for part in ((first, min(last, first_taken - 1)), (max(first, last_taken + 1), last))
            if part[0] <= part[1]
        ]
    return left


__all__ = [
    "DAMAGED_SUFFIX",
    "FetchBatches",
    "JournalDamaged",
    "SegmentRepair",
    "drop_checkpoints",
    "plan_archive",
    "repair_segment",
]
