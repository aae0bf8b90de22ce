"""Tell whether a stream is the one that was archived, and whether it still reaches as far."""

from enum import Enum
from pathlib import Path

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import ArchiveDamaged
from tradebus.journal.archive.writer import ArchiveEnd
from tradebus.journal.positions import fingerprint_of


class Lineage(Enum):
    """How a stream and the archive of it fit."""

    CONTINUES = 1
    """What is archived stands in the stream as it was, or was pruned from it."""
    BEHIND = 2
    """The stream has lost its end: it can be repaired from the archive, and must be before anything is appended."""
    FOREIGN = 3
    """The stream was made anew: it holds other batches at the same places, or none at all."""


async def lineage(bus: Bus, stream: str, folder: Path, end: ArchiveEnd | None) -> Lineage:
    """Compare a stream with the archive in a folder that ends so. Raises NoJournal, BusUnavailable."""
    if end is None:
        return Lineage.CONTINUES
    state = await bus.journal_state(stream)
    last = min(end.position, state.last_sequence)
    if last == 0:
        return Lineage.FOREIGN
    here = await bus.message(stream, last)
    if here is None:  # pruned: no further than what was archived, or the archive will find a gap
        return Lineage.CONTINUES
    if last == end.position:
        return Lineage.CONTINUES if fingerprint_of(here) == end.chain else Lineage.FOREIGN
    return Lineage.BEHIND if fingerprint_of(here) == _archived(folder, stream, last) else Lineage.FOREIGN


def _archived(folder: Path, stream: str, position: int) -> str | None:
    try:
        message: JournalMessage | None = next(Archive(folder, stream).messages(position), None)
    except ArchiveDamaged:
        return None
    return None if message is None else fingerprint_of(message)
