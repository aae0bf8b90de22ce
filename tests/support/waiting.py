"""Wait for conditions, never for times."""

import asyncio
from collections.abc import Callable

POLL_S = 0.002
LIMIT_S = 30.0


async def eventually(condition: Callable[[], object], what: str = "", limit_s: float = LIMIT_S) -> None:
    """Return as soon as ``condition()`` is true; fail the test when it is not within ``limit_s``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    while not condition():
        if loop.time() >= deadline:
            raise AssertionError(f"not within {limit_s:g} s: {what or condition}")
        await asyncio.sleep(POLL_S)
