"""Read ticks of the past back, any of them, from the stream or, where it has them no longer, from the archive."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar, final

from services.audit.fold import Fold
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.journal.archive.files import segment_files
from tradebus.journal.archive.past import NotArchived
from tradebus.journal.archive.scan import read_segment_head
from tradebus.journal.archive.ticks import encoded_between
from tradebus.wire.codec.audit import AuditFrames, audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import IntegrityError, verify_checksum

MESSAGES_AT_ONCE: Final = 16

T = TypeVar("T")


class Pruned(Exception):
    """A tick that is no longer in the stream."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"tick {sequence} is no longer in the stream")
        self.sequence: Final = sequence


class Unreadable(Exception):
    """The stream cannot be asked, or what it holds is damaged."""


@final
class History:
    """The audit stream as a store of ticks. Only what the fold has verified is read."""

    def __init__(self, bus: Bus, stream: str, fold: Fold, archive: Path | None = None) -> None:
        self._bus: Final = bus
        self._stream: Final = stream
        self._fold: Final = fold
        self._folder: Final = archive
        self._first_archived: int | None = None
        # Kept, because it knows where everything lies; one at a time, because finding out changes it.
        self._archive: Archive | None = None
        self._reading: Final = threading.Lock()

    @property
    def bounds(self) -> tuple[int, int] | None:
        """Return the first and last tick that can be asked for, none before the first.

        With an archive all that are in the fold's state can, also those that an earlier process took in.
        """
        bounds = self._fold.batches.bounds
        if self._folder is None or self._fold.sequence < 0:
            return bounds
        if self._first_archived is None:
            self._first_archived = _first_tick(self._folder)
        first = self._fold.sequence if bounds is None else bounds[0]
        return first if self._first_archived is None else min(first, self._first_archived), self._fold.sequence

    async def ticks(self, first: int, last: int) -> list[AuditTick]:
        """Return the ticks from ``first`` to ``last``, in order; both must be within the bounds.

        They come from the stream while it has them, else from the archive. Raises Pruned or Unreadable.
        """
        if self._is_streamed(first):
            try:
                return self._decoded(first, await self._streamed(first, last))
            except Pruned:
                if self._folder is None:
                    raise
        assert self._folder is not None, "what is not streamed is in the archive"
        return await asyncio.to_thread(self._archived, self._folder, first, last, self._decoded)

    async def encoded_ticks(self, first: int, last: int) -> list[bytes]:
        """Return the same ticks as they are stored, each a message of the contract. Raises Pruned or Unreadable."""
        if self._is_streamed(first):
            try:
                return await self._streamed(first, last)
            except Pruned:
                if self._folder is None:
                    raise
        assert self._folder is not None, "what is not streamed is in the archive"
        return await asyncio.to_thread(self._archived, self._folder, first, last, _as_they_are)

    def _is_streamed(self, first: int) -> bool:
        """Tell whether to look for ticks in the stream first; where nothing is archived there is no other place."""
        bounds = self._fold.batches.bounds
        return self._folder is None or (bounds is not None and bounds[0] <= first)

    async def gaps(self) -> list[tuple[int, int]]:
        """Return the first and last tick of each stretch that the archive lacks between others. Raises Unreadable."""
        return [] if self._folder is None else await asyncio.to_thread(self._gaps, self._folder)

    def _gaps(self, folder: Path) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        try:
            archive = Archive(folder, self._stream)
            expected: int | None = None
            for path in archive.paths:
                for place in archive.places(path):
                    if expected is not None and place.head.first_sequence > expected:
                        found.append((expected, place.head.first_sequence - 1))
                    expected = place.head.last_sequence + 1
        except (ArchiveDamaged, ArchiveError, OSError) as error:
            raise Unreadable(f"the archive cannot be read: {error}") from error
        return found

    def _archived(self, folder: Path, first: int, last: int, give: Callable[[int, list[bytes]], list[T]]) -> list[T]:
        try:
            with self._reading:
                if self._archive is None:
                    self._archive = Archive(folder, self._stream)
                self._archive.refresh()
                return give(first, encoded_between(self._archive, first, last))
        except NotArchived as error:
            raise Pruned(error.sequence) from error
        except (ArchiveDamaged, ArchiveError, DecodeError) as error:
            raise Unreadable(f"the archive cannot be read: {error}") from error

    def _decoded(self, first: int, encoded: list[bytes]) -> list[AuditTick]:
        found: list[AuditTick] = []
        for sequence, each in enumerate(encoded, start=first):
            try:
                found.append(tick_from_bytes(each, bounds_of(self._fold.numbering_at(sequence))))
            except DecodeError as error:
                raise Unreadable(f"tick {sequence} in the journal is damaged: {error}") from error
        return found

    async def _streamed(self, first: int, last: int) -> list[bytes]:
        message, frames = await self._batch_of(first)
        found: list[bytes] = []
        _add(frames, first, last, found)
        while len(found) <= last - first:
            # As many messages as should hold the rest, going by the size of the last one; never beyond what we know of.
            wanted = -(-(last - frames.head.last_sequence) // len(frames.ticks))
            ahead = min(wanted, MESSAGES_AT_ONCE, self._fold.position - message)
            numbers = range(message + 1, message + 1 + ahead)
            for frames in await asyncio.gather(*(self._frames(number) for number in numbers)):
                _add(frames, first, last, found)
            message += ahead
        return found

    async def _batch_of(self, sequence: int) -> tuple[int, AuditFrames]:
        """Return the message with a tick: the index says between which messages it lies."""
        place = self._fold.batches.range_of(sequence)
        if place is None:
            raise Pruned(sequence)
        low, high = place
        while True:
            middle = (low + high) // 2
            frames = await self._frames(middle, sequence)
            if sequence < frames.head.first_sequence:
                high = middle - 1
            elif sequence > frames.head.last_sequence:
                low = middle + 1
            else:
                return middle, frames
            if low > high:
                raise Unreadable(f"tick {sequence} is not where the stream should have it")

    async def _frames(self, number: int, sequence: int | None = None) -> AuditFrames:
        try:
            message = await self._bus.message(self._stream, number)
        except BusUnavailable as error:
            raise Unreadable(f"the journal cannot be read now: {error.reason}") from error
        if message is None:
            raise Pruned(number if sequence is None else sequence)
        return _verified(message)


def _add(frames: AuditFrames, first: int, last: int, into: list[bytes]) -> None:
    """Take what of a batch lies between two ticks, less what is there already."""
    head = frames.head
    start = max(first + len(into), head.first_sequence)
    end = min(last, head.last_sequence)
    into += frames.ticks[start - head.first_sequence : end + 1 - head.first_sequence] if start <= end else ()


def _as_they_are(_: int, encoded: list[bytes]) -> list[bytes]:
    return encoded


def _first_tick(folder: Path) -> int | None:
    """Return the first tick of an archive, none while it is empty or cannot say so."""
    for path in segment_files(folder):
        head = read_segment_head(path)
        return None if head is None else head.first_sequence
    return None


def _verified(message: JournalMessage) -> AuditFrames:
    try:
        verify_checksum(message.payload, message.headers)
        return audit_frames_from_bytes(message.payload)
    except (IntegrityError, DecodeError) as error:
        raise Unreadable(f"message {message.sequence} of the stream is damaged: {error}") from error
