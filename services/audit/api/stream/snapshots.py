"""Say how everything stands, once for all readers that want the same at nearly the same time."""

from collections.abc import Callable
from typing import Final, NamedTuple, final

from services.audit.api.cache import CACHE_FACTOR, CACHE_S_MAX
from services.audit.api.moment import Moment
from services.audit.api.stream.payloads import snapshot_payload
from services.audit.api.stream.selection import Selection

_KEPT_MAX: Final = 16


class Snapshot(NamedTuple):
    """How everything stood at the tick ``sequence``.

    ``number`` is the event of the ring that comes after it, ``market_number`` the newest encoding of the market then;
    it may be given again until ``until_s``, monotonic seconds.
    """

    sequence: int
    number: int
    market_number: int
    until_s: float
    data: bytes


@final
class Snapshots:
    """The newest snapshot of each selection, kept six times as long as it took to build, as long answers are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock: Final = clock
        self._kept: Final[dict[Selection, Snapshot]] = {}

    def forget(self, selection: Selection) -> None:
        """Build the next one anew."""
        self._kept.pop(selection, None)

    def get(
        self, moment: Callable[[], Moment], selection: Selection, ring: tuple[int, int], market_number: int
    ) -> Snapshot:
        """Return a snapshot that is not old and behind which every event is kept, else a new one.

        ``ring`` is the first event that is kept, and the one that comes next.
        """
        first, end = ring
        begun_s = self._clock()
        kept = self._kept.get(selection)
        if kept is not None and begun_s < kept.until_s and kept.number >= first:
            return kept
        now = moment()
        data = snapshot_payload(now, selection)
        ended_s = self._clock()
        until_s = ended_s + min(CACHE_FACTOR * (ended_s - begun_s), CACHE_S_MAX)
        built = Snapshot(now.sequence, end, market_number, until_s, data)
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        self._kept[selection] = built
        return built
