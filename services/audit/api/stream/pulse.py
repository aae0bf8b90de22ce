"""Look after the readers every few milliseconds: encode what is due, and wake some of those for whom there is news.

Two hundred at once would be a burst that the replica feels.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

from services.audit.api.stream.feed import StreamFeed
from services.audit.api.stream.limits import StreamLimits
from services.audit.api.stream.reader import Reader


@final
class Pulse:
    """Beats while there are readers. Times are monotonic seconds."""

    def __init__(
        self, readers: list[Reader], feed: StreamFeed, limits: StreamLimits, clock: Callable[[], float]
    ) -> None:
        self._readers: Final = readers
        self._feed: Final = feed
        self._limits: Final = limits
        self._clock: Final = clock
        self._beating: asyncio.Task[None] | None = None
        self._served = 0
        self._market_due_s = 0.0
        self._is_stopped = False

    def start(self) -> None:
        """Beat from here on until the last reader has gone."""
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat(), name="streams")

    def stop(self) -> None:
        """Beat no more, for good."""
        self._is_stopped = True

    def look_after(self, now_s: float) -> None:
        """Encode what is due, and wake some of the readers for whom there is something."""
        feed, readers = self._feed, self._readers
        feed.look_whether_exact()
        is_due = feed.board.is_due and now_s >= self._market_due_s and any(each.wants_market for each in readers)
        if is_due and not feed.show_markets():
            self._market_due_s = now_s + self._limits.market_s
        for _ in range(min(len(readers), self._limits.at_once)):
            self._served = (self._served + 1) % len(readers)
            reader = readers[self._served]
            if now_s - reader.asked_s >= self._limits.ask_again_s:
                reader.asked_s = now_s
                if not reader.is_welcome():
                    reader.is_turned_out = True
                    reader.close()
            if reader.is_waiting and self._has_news(reader, now_s):
                reader.wake()

    async def _beat(self) -> None:
        while self._readers and not self._is_stopped:
            await asyncio.sleep(self._limits.pulse_s)
            self.look_after(self._clock())
        self._beating = None

    def _has_news(self, reader: Reader, now_s: float) -> bool:
        feed = self._feed
        return (
            bool(reader.pending)
            or now_s - reader.taken_s >= self._limits.keep_alive_s
            or (reader.selection is not None and reader.number != feed.ring.end)
            or (reader.wants_market and now_s >= reader.market_due_s and reader.market_number < feed.board.number)
        )
