"""Keep our messages to a venue within the number a second that it allows."""

from __future__ import annotations

from collections import deque
from typing import Final

from services.market.venues.clock import Clock

NANOSECONDS_PER_SECOND: Final = 1_000_000_000


class MessagePacer:
    """Lets at most so many messages through in any second; one per connection."""

    def __init__(self, messages_per_second_max: int, clock: Clock) -> None:
        if messages_per_second_max < 1:
            raise ValueError(f"expected at least one message a second, found {messages_per_second_max}")
        self._clock = clock
        self._sent_ns: deque[int] = deque(maxlen=messages_per_second_max)

    async def turn(self) -> None:
        """Wait until one more message may go out, and count it as gone."""
        while len(self._sent_ns) == self._sent_ns.maxlen:
            due_ns = self._sent_ns[0] + NANOSECONDS_PER_SECOND - self._clock.monotonic_ns()
            if due_ns <= 0:
                break
            await self._clock.sleep(due_ns / NANOSECONDS_PER_SECOND)
        self._sent_ns.append(self._clock.monotonic_ns())
