"""Keep what a bus reports about itself, for a test to look at."""

from typing import TypeVar

from tests.support.waiting import LIMIT_S, eventually
from tradebus.bus.events import BusEvent

Kind = TypeVar("Kind", bound=BusEvent)


class EventLog:
    """A bus listener that remembers."""

    def __init__(self) -> None:
        self.events: list[BusEvent] = []

    def __call__(self, event: BusEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    async def first(self, kind: type[Kind], limit_s: float = LIMIT_S) -> Kind:
        """Wait for an event of one kind and return the first."""
        await eventually(lambda: self.of(kind), f"a {kind.__name__}; reported: {self.events}", limit_s)
        return self.of(kind)[0]

    async def wait_for(self, kind: type[BusEvent], count: int, limit_s: float = LIMIT_S) -> None:
        """Wait until so many events of one kind have been reported."""
        await eventually(lambda: len(self.of(kind)) >= count, f"{count} {kind.__name__}: {self.events}", limit_s)

    def clear(self) -> None:
        self.events.clear()
