"""Hold market events that cannot be processed yet: every trade, of books only the newest for each instrument."""

from typing import Final, NamedTuple, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import BookL1, MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex


class Waiting(NamedTuple):
    """An event, the bytes it came in if it came encoded, and the subject it came on."""

    event: EngineEvent
    encoded: bytes | None
    subject: str


@final
class Conflator:
    """Waiting events, in order of arrival; a newer book takes the place in line of the one it replaces.

    A book never passes a trade of its instrument, and nothing passes a gap or a lost feed. ``items_max`` bounds the
    memory: ``is_full`` asks the caller to take no more off the bus, whose own bound then drops the newest, which shows
    as a gap.
    """

    def __init__(self, items_max: int) -> None:
        self._items_max: Final = items_max
        self._items: list[Waiting] = []
        self._taken = 0
        # Where the newest book of an instrument stands, counted from the first item ever.
        self._books: Final[dict[InstrumentIndex, int]] = {}
        self.conflated = 0

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Tell whether no more should be taken in."""
        return len(self._items) >= self._items_max

    def add(self, event: EngineEvent, encoded: bytes | None, subject: str) -> None:
        """Let an event wait."""
        item = Waiting(event, encoded, subject)
        if not isinstance(event, MarketEvent):
            self._books.clear()
        elif isinstance(event.data, BookL1):
            place = self._books.get(event.instrument, -1)
            if place >= self._taken:
                self._items[place - self._taken] = item
                self.conflated += 1
                return
            self._books[event.instrument] = self._taken + len(self._items)
        else:
            self._books.pop(event.instrument, None)
        self._items.append(item)

    def take(self, count: int) -> list[Waiting]:
        """Return the first ``count`` of what waits, in order, and forget them."""
        taken = self._items[:count]
        del self._items[:count]
        self._taken += len(taken)
        return taken
