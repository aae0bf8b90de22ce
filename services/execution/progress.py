"""Wait until something that others bring about is true."""

import asyncio
from collections.abc import Callable
from typing import Final, final


@final
class Progress:
    """Told of every step that others make; who waits looks again after each."""

    def __init__(self) -> None:
        self._moved: Final = asyncio.Event()

    def tell(self) -> None:
        """Let everybody who waits look again."""
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return as soon as a condition is true."""
        while True:
            # Before looking: a step after the look sets it again.
            self._moved.clear()
            if condition():
                return
            await self._moved.wait()
