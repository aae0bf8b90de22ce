"""Wait for streams that another service makes: services start in any order."""

import asyncio
from typing import Final

from services.runtime.runtime import Runtime
from tradebus.bus.errors import BusUnavailable, NoJournal
from tradebus.bus.interface import Bus

_WAIT_S: Final = 0.2


async def wait_for_stream(runtime: Runtime, bus: Bus, stream: str) -> None:
    """Return when a stream exists; until then the health report says that it is waited for."""
    trouble = f"stream {stream}"
    while True:
        try:
            await bus.journal_state(stream)
        except (NoJournal, BusUnavailable) as error:
            runtime.health.trouble(trouble, str(error))
            await asyncio.sleep(_WAIT_S)
        else:
            runtime.health.clear(trouble)
            return
