"""Look at every byte of an archive: what is sound, in order, and what is damaged, missing or left over between."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import Damage
from tradebus.journal.archive.index import index_path, read_index
from tradebus.journal.archive.layout import first_position_of
from tradebus.journal.archive.scan import Place, Scan, scan_segment


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as it is: its sound chunks, and everything about it that is not as it should be.

    ``first_position`` to ``last_position`` are the batches that should be in it; of the last segment nobody can say how
    many there were, and ``last_position`` is that of the last sound one.
    """

    path: Path
    first_position: int
    last_position: int
    places: list[Place]
    damages: list[Damage]


def survey(archive: Archive) -> Iterator[Segment]:
    """Yield every segment in order, all of its bytes compared with their checksums. Raises OSError."""
    paths = archive.paths
    for number, path in enumerate(paths):
        scan = scan_segment(path)
        following = first_position_of(paths[number + 1].name) if number + 1 < len(paths) else None
        damages = [*scan.damages]
        if scan.tail is not None:
            damages.append(scan.tail)
        if following is not None:
            damages += _against_next(scan, following)
            damages += _index_damages(path, scan)
        elif index_path(path).exists():
            damages += _index_damages(path, scan)
        last = scan.next_position - 1 if following is None else following - 1
        yield Segment(path, first_position_of(path.name), last, scan.places, damages)


def _against_next(scan: Scan, following: int) -> list[Damage]:
    """Tell what is missing between the last sound chunk of a segment and the next segment."""
    if scan.next_position == following or scan.tail is not None:
        return []
    reason = f"expected batches up to {following - 1}, found them up to {scan.next_position - 1}"
    return [Damage(scan.path, scan.end, 0, reason, scan.next_position, following - 1, scan.next_sequence)]


def _index_damages(path: Path, scan: Scan) -> list[Damage]:
    try:
        found = read_index(path)
    except FileNotFoundError:
        return [Damage(index_path(path), 0, 0, "there is no index")]
    if isinstance(found, Damage):
        return [found]
    if not scan.damages and scan.tail is None and found != scan.places:
        return [Damage(index_path(path), 0, 0, "the index does not say what the segment holds")]
    return []
