"""One reader of the stream: what it wants, where it stands, and what is to be told to it beside the events."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, final

from services.audit.api.stream.event import Message
from services.audit.api.stream.selection import Selection


@final
class Reader:
    """A place in the ring. Only the hub moves it; ``wait`` returns when there may be something to take."""

    def __init__(self, selection: Selection | None, is_welcome: Callable[[], bool], now_s: float) -> None:
        self.selection = selection
        """None: nothing is wanted yet."""
        self.number = -1
        """The event of the ring that comes next."""
        self.market_number = 0
        """The newest encoding of the market that it has."""
        self.market_after = -1
        """The tick up to which it knows the market already."""
        self.market_due_s = 0.0
        self.is_welcome: Final = is_welcome
        """Tells whether its key is still good."""
        self.asked_s = now_s
        """When that was asked last."""
        self.taken_s = now_s
        """When it took something last; monotonic seconds, as all times here."""
        self.pending: Final[deque[Message]] = deque()
        """What comes before the events that follow: snapshots, answers, what was read from the archive."""
        self.has_past = False
        """Part of what is pending was read from the archive, or is being read."""
        self.is_closed = False
        self.is_turned_out = False
        """It was closed because its key is not good any more."""
        self._waiting: asyncio.Future[None] | None = None
        self._taken: Final = asyncio.Event()

    @property
    def is_waiting(self) -> bool:
        """Tell whether it has nothing to do."""
        return self._waiting is not None and not self._waiting.done()

    @property
    def wants_market(self) -> bool:
        """Tell whether it wants market data."""
        return self.selection is not None and self.selection.has_market

    async def wait(self) -> None:
        """Return when woken."""
        if not self.is_closed:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    async def wait_room(self, pending_max: int) -> None:
        """Return when fewer than so many messages are pending."""
        while len(self.pending) >= pending_max and not self.is_closed:
            self._taken.clear()
            await self._taken.wait()

    def note_taken(self) -> None:
        """Note that something pending was taken."""
        self._taken.set()

    def wake(self) -> None:
        """Let it look whether there is something."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Let it end."""
        self.is_closed = True
        self._taken.set()
        self.wake()
