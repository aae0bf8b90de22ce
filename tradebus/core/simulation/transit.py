"""Hold what is on its way between engine and simulated exchange: requests one way, account events the other.

What left first arrives first, also where the latency has become less in between. When the next one is due stands ready
to be read: the loop asks at every market event, and nearly always the answer is "not yet".
"""

from typing import ClassVar, Final, final

from tradebus.core.engine.event import AccountEvent
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record

Request = OrderRequestOpen | OrderRequestCancel | OrderRequestAmend

NEVER: Final = (1 << 62) - 1
"""When what is not on its way is due: later than every time, and still a small integer for the compiled core."""

_SLACK: Final = 512


@final
class Arrival(Record):
    """A request on its way to the exchange."""

    FIELDS: ClassVar[tuple[str, ...]] = ("time_ns", "request")

    def __init__(self, time_ns: int, request: Request) -> None:
        self.time_ns: Final = time_ns
        self.request: Final = request


@final
class Arrivals:
    """Requests in the order in which they arrive; ``next_ns`` is when the first does."""

    def __init__(self) -> None:
        self.next_ns = NEVER
        self._items: list[Arrival] = []
        self._head = 0

    def add(self, time_ns: int, request: Request) -> None:
        """Add a request that arrives at a time, not before the others."""
        if self._head == len(self._items):
            self.next_ns = time_ns
        elif self._items[-1].time_ns > time_ns:
            time_ns = self._items[-1].time_ns
        self._items.append(Arrival(time_ns, request))

    def items(self) -> tuple[Arrival, ...]:
        """Return all that is on its way, in order."""
        return tuple(self._items[self._head :])

    def pop(self) -> Arrival:
        """Return the first and forget it; there must be one."""
        arrival = self._items[self._head]
        self._head += 1
        if self._head == len(self._items):
            self._items.clear()
            self._head = 0
            self.next_ns = NEVER
        else:
            self.next_ns = self._items[self._head].time_ns
            if self._head == _SLACK:
                del self._items[:_SLACK]
                self._head = 0
        return arrival


@final
class Delivery(Record):
    """An account event on its way to the engine."""

    FIELDS: ClassVar[tuple[str, ...]] = ("due_ns", "event")

    def __init__(self, due_ns: int, event: AccountEvent) -> None:
        self.due_ns: Final = due_ns
        self.event: Final = event


@final
class Deliveries:
    """Account events in the order in which they are due; ``next_ns`` is when the first is."""

    def __init__(self) -> None:
        self.next_ns = NEVER
        self._items: list[Delivery] = []
        self._head = 0

    def add(self, due_ns: int, event: AccountEvent) -> None:
        """Add an event that is due at a time, not before the others."""
        if self._head == len(self._items):
            self.next_ns = due_ns
        elif self._items[-1].due_ns > due_ns:
            due_ns = self._items[-1].due_ns
        self._items.append(Delivery(due_ns, event))

    def items(self) -> tuple[Delivery, ...]:
        """Return all that is on its way, in order."""
        return tuple(self._items[self._head :])

    def pop_due(self, time_ns: int) -> list[AccountEvent]:
        """Return the events that are due at a time, in order, and forget them."""
        due: list[AccountEvent] = []
        items = self._items
        head = self._head
        while head < len(items) and items[head].due_ns <= time_ns:
            due.append(items[head].event)
            head += 1
        if head == len(items):
            items.clear()
            head = 0
            self.next_ns = NEVER
        else:
            self.next_ns = items[head].due_ns
            if head >= _SLACK:
                del items[:head]
                head = 0
        self._head = head
        return due
