"""Ticks of an archive, one after the other, without a state."""

from collections.abc import Callable, Iterator

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.past import NotArchived
from tradebus.wire.codec.audit import audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.bounds import IndexBounds


def encoded_ticks(archive: Archive, first: int) -> Iterator[tuple[int, bytes]]:
    """Yield sequence and stored bytes of every tick from ``first`` on. Raises ArchiveDamaged, DecodeError."""
    position = archive.position_of_sequence(first)
    if position is None:
        return
    for message in archive.messages(position):
        frames = audit_frames_from_bytes(message.payload)
        if frames.head.last_sequence < first:
            continue
        for sequence, encoded in enumerate(frames.ticks, start=frames.head.first_sequence):
            if sequence >= first:
                yield sequence, encoded


def ticks_between(archive: Archive, first: int, last: int, bounds_at: Callable[[int], IndexBounds]) -> list[AuditTick]:
    """Return the ticks from ``first`` to ``last``; ``bounds_at`` gives the index in use at a tick.

    Raises NotArchived, ArchiveDamaged, DecodeError.
    """
    encoded = encoded_between(archive, first, last)
    return [tick_from_bytes(each, bounds_at(sequence)) for sequence, each in enumerate(encoded, start=first)]


def encoded_between(archive: Archive, first: int, last: int) -> list[bytes]:
    """Return the ticks from ``first`` to ``last`` as they are stored, in order.

    Raises NotArchived, ArchiveDamaged, DecodeError.
    """
    found: list[bytes] = []
    for sequence, encoded in encoded_ticks(archive, first):
        if sequence > last:
            break
        found.append(encoded)
    if len(found) != last - first + 1:
        end = archive.last_place()
        raise NotArchived(first + len(found), -1 if end is None else end.place.head.last_sequence)
    return found
