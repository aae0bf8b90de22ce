"""Hold market events while the journal is behind: every trade, of books only the newest for each instrument."""

from typing import Final, final

from tradebus.core.market.event import BookL1, MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex

Item = tuple[MarketEvent, bytes | None]


@final
class Conflator:
    """Waiting events, in order of arrival; a newer book takes the place in line of the one it replaces.

    ``trades_max`` bounds the memory: beyond it ``is_full`` asks the caller to stop taking from the bus, whose own bound
    then drops the newest, which shows as a gap.
    """

    def __init__(self, trades_max: int) -> None:
        self._trades_max: Final = trades_max
        self._items: list[Item] = []
        self._books: Final[dict[InstrumentIndex, int]] = {}
        self.conflated = 0

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Tell whether no more should be taken in."""
        return len(self._items) >= self._trades_max

    def add(self, event: MarketEvent, encoded: bytes | None) -> None:
        """Let an event wait."""
        if isinstance(event.data, BookL1):
            place = self._books.get(event.instrument)
            if place is not None:
                self._items[place] = (event, encoded)
                self.conflated += 1
                return
            self._books[event.instrument] = len(self._items)
        else:
            # A book that came before this trade must not be replaced by one that came after it.
            self._books.pop(event.instrument, None)
        self._items.append((event, encoded))

    def take(self) -> list[Item]:
        """Return what waits, in order, and forget it."""
        items = self._items
        self._items = []
        self._books.clear()
        return items
