"""Hand items to a handler one after another, in a task of our own.

One task per handler means: order is kept, an ``async`` handler is never cancelled half-way by a reconnection,
and a long queue does not starve the rest of the loop (pings, acknowledgements) while it is worked off.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

SLICE_ITEMS: Final = 64
"""How many items are handled on end before everything else in the loop gets a turn (counted, not timed: repeatable)."""

Item = TypeVar("Item")


class HandlerQueue(Generic[Item]):
    """A bounded queue worked off by one handler.

    ``on_error`` gets whatever the handler raises; the queue goes on with the next item. ``pending_max`` 0 means no
    bound.
    """

    def __init__(
        self,
        handler: Callable[[Item], Awaitable[None] | None],
        on_error: Callable[[Item, Exception], None],
        pending_max: int = 0,
    ) -> None:
        self._handler: Final = handler
        self._on_error: Final = on_error
        self._pending_max: Final = pending_max
        self._items: deque[Item] = deque()
        self._wake: Final = asyncio.Event()
        self._idle: Final = asyncio.Event()
        self._idle.set()
        self._stopped = False
        self._task: Final = asyncio.get_running_loop().create_task(self._run())

    @property
    def pending(self) -> int:
        """Return how many items wait; the one being handled is not counted."""
        return len(self._items)

    def offer(self, item: Item) -> bool:
        """Queue an item; False when it was dropped because the queue is full or stopped."""
        if self._stopped or (self._pending_max and len(self._items) >= self._pending_max):
            return False
        self._items.append(item)
        self._idle.clear()
        self._wake.set()
        return True

    def clear(self) -> None:
        """Discard what waits; the item being handled is not touched."""
        self._items.clear()

    async def drain(self) -> None:
        """Return when everything offered so far has been handled, or the queue was stopped."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Discard what waits and end; a handler that is running is awaited first, unless it is the caller."""
        self._stopped = True
        self._items.clear()
        self._wake.set()
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    def cancel(self) -> None:
        """End at once, in the middle of a handler if need be."""
        self._stopped = True
        self._items.clear()
        self._task.cancel()

    async def _run(self) -> None:
        handled = 0
        try:
            while not self._stopped:
                while self._items:
                    item = self._items.popleft()
                    try:
                        outcome = self._handler(item)
                        if outcome is not None:
                            await outcome
                    except Exception as error:  # noqa: BLE001 - handed on; one bad item must not end the rest
                        self._on_error(item, error)
                    handled += 1
                    if handled % SLICE_ITEMS == 0:
                        await asyncio.sleep(0)
                self._wake.clear()
                self._idle.set()
                if not self._stopped:
                    await self._wake.wait()
        finally:
            self._idle.set()
