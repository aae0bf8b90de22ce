"""Hold up whoever fills a queue until there is room in it again, or until nobody will make room any more."""

import asyncio
from collections.abc import Callable
from typing import Final, final


@final
class Pressure:
    """Waiting for room. ``is_full`` tells whether there is none.

    Who takes something out of the queue calls ``eased``. ``release`` lets everybody go for good: at the end, or when
    nobody takes anything out any more; a handler that waited on would keep its reader from stopping.
    """

    def __init__(self, is_full: Callable[[], bool]) -> None:
        self._is_full: Final = is_full
        self._room: Final = asyncio.Event()
        self._is_released = False

    @property
    def is_full(self) -> bool:
        """Tell whether who asks for room now has to wait."""
        return self._is_full() and not self._is_released

    async def wait(self) -> None:
        """Return when there is room, at once if there is."""
        while self._is_full() and not self._is_released:
            self._room.clear()
            await self._room.wait()

    def eased(self) -> None:
        """Tell that something was taken out."""
        if not self._room.is_set() and not self._is_full():
            self._room.set()

    def release(self) -> None:
        """Hold up nobody from now on."""
        self._is_released = True
        self._room.set()
