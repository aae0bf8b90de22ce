"""Keep the newest events for all readers together: each reader is a place in here, not a queue of its own.

So a reader that is slow costs nothing but its place, and memory is bounded however many there are. A reader whose place
is no longer kept has been left behind, and begins again with a snapshot.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, final

from services.audit.api.stream.event import Mark, StreamEvent

_SLACK: Final = 256
"""Old events are let go this many at a time, so that appending stays cheap."""


@final
class Ring:
    """Events numbered from 0 in the order they came, bounded in number and in bytes of data.

    Everything behind the mark ``horizon`` is kept.
    """

    def __init__(self, events_max: int, bytes_max: int, horizon: Mark) -> None:
        self.horizon = horizon
        self._events_max: Final = events_max
        self._bytes_max: Final = bytes_max
        self._events: list[StreamEvent] = []
        self._first = 0
        self._bytes = 0

    @property
    def first(self) -> int:
        """Return the number of the oldest event kept; that of the next one while there is none."""
        return self._first

    @property
    def end(self) -> int:
        """Return the number that the next event gets."""
        return self._first + len(self._events)

    @property
    def bytes(self) -> int:
        """Return how many bytes of data are kept."""
        return self._bytes

    def append(self, events: Sequence[StreamEvent]) -> None:
        """Add the events of a tick."""
        self._events += events
        self._bytes += sum(len(event.data) for event in events)
        if len(self._events) >= self._events_max + _SLACK or self._bytes > self._bytes_max:
            self._shrink()

    def begin_anew(self, horizon: Mark) -> None:
        """Let everything go; from here on what comes behind ``horizon`` is kept. Every place is left behind."""
        self._first = self.end + 1  # a number that is never given, so that no reader stands at it
        self._events = []
        self._bytes = 0
        self.horizon = horizon

    def at(self, number: int) -> StreamEvent:
        """Return an event that is kept."""
        return self._events[number - self._first]

    def behind(self, mark: Mark) -> int | None:
        """Return the number of the first event behind a mark, none where some behind it are no longer kept."""
        if mark < self.horizon:
            return None
        return self._first + bisect_right(self._events, mark, key=lambda event: event.mark)

    def _shrink(self) -> None:
        excess = max(0, len(self._events) - self._events_max)
        size = self._bytes - sum(len(event.data) for event in self._events[:excess])
        while size > self._bytes_max and excess < len(self._events):
            size -= len(self._events[excess].data)
            excess += 1
        self.horizon = self._events[excess - 1].mark
        del self._events[:excess]
        self._first += excess
        self._bytes = size
