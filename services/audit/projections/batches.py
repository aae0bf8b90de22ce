"""Know where in the stream a tick is stored, without an entry for each batch."""

from array import array
from bisect import bisect_right
from typing import Final, final

ENTRIES_MAX: Final = 65_536


@final
class BatchIndex:
    """From tick sequences to stream sequences, in bounded memory.

    Every batch has an entry until there are ``entries_max`` of them; then every other one is dropped, and from there
    on only every second batch gets one, and so on. ``range_of`` says between which messages a tick lies.
    """

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max: Final = entries_max
        self._ticks = array("Q")
        self._messages = array("Q")
        self._stride = 1
        self._batches = 0
        self._last_tick = -1
        self._last_message = 0

    @property
    def batches(self) -> int:
        """Return how many batches there are."""
        return self._batches

    @property
    def bounds(self) -> tuple[int, int] | None:
        """Return the first and last tick sequence that can be found, none while there is no batch."""
        return (self._ticks[0], self._last_tick) if self._ticks else None

    def append(self, first_sequence: int, last_sequence: int, stream_sequence: int) -> None:
        """Add the next batch: its first and last tick, and its message's sequence in the stream."""
        if self._batches % self._stride == 0:
            self._ticks.append(first_sequence)
            self._messages.append(stream_sequence)
            if len(self._ticks) >= self._entries_max:
                self._ticks = self._ticks[::2]
                self._messages = self._messages[::2]
                self._stride *= 2
        self._batches += 1
        self._last_tick = last_sequence
        self._last_message = stream_sequence

    def range_of(self, tick_sequence: int) -> tuple[int, int] | None:
        """Return the first and last stream sequence between which the batch with a tick is stored, none if nowhere."""
        if not self._ticks or not self._ticks[0] <= tick_sequence <= self._last_tick:
            return None
        at = bisect_right(self._ticks, tick_sequence) - 1
        after = self._messages[at + 1] - 1 if at + 1 < len(self._messages) else self._last_message
        return self._messages[at], after
