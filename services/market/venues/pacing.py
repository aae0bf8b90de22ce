"""Keep our messages to a venue within the number a second that it allows."""

from __future__ import annotations

from typing import Final

from services.market.venues.clock import Clock

NANOSECONDS_PER_SECOND: Final = 1_000_000_000


class MessagePacer:
    """Lets at most so many messages through in any second, evenly: a venue counts when they arrive. One a connection.

    Messages that leave in bursts and are held up on the way for less than a second can arrive as two bursts in one.
    """

    def __init__(self, messages_per_second_max: int, clock: Clock) -> None:
        if messages_per_second_max < 1:
            raise ValueError(f"expected at least one message a second, found {messages_per_second_max}")
        self._clock = clock
        self._apart_ns: Final = -(-NANOSECONDS_PER_SECOND // messages_per_second_max)
        self._sent_ns: int | None = None

    async def turn(self) -> None:
        """Wait until one more message may go out, and count it as gone."""
        while self._sent_ns is not None:
            due_ns = self._sent_ns + self._apart_ns - self._clock.monotonic_ns()
            if due_ns <= 0:
                break
            await self._clock.sleep(due_ns / NANOSECONDS_PER_SECOND)
        self._sent_ns = self._clock.monotonic_ns()
