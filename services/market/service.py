"""The market service: some feeds, begun together and ended in order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.market.feed import Feed
from services.runtime import Json, Position, Service
from services.runtime.dead_letters import DeadLetterBox
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus

_LETTERS_TIMEOUT_S: Final = 2.0


@final
class MarketService(Service):
    """Runs its feeds between start and stop. One that cannot start ends the service."""

    def __init__(self, bus: Bus, feeds: Sequence[Feed], letters: DeadLetterBox, log: BoundLogger) -> None:
        self._bus: Final = bus
        self._feeds: Final = list(feeds)
        self._letters: Final = letters
        self._log: Final = log

    async def start(self) -> None:
        """Begin every feed, at once: one whose venue is away does not hold up the others."""
        await asyncio.gather(*(feed.start() for feed in self._feeds))
        self._log.info("feeds begun", feeds=[feed.name for feed in self._feeds])

    async def stop(self) -> None:
        """End every feed, then see that what they published has left."""
        await asyncio.gather(*(feed.stop() for feed in self._feeds))
        await self._letters.drain(_LETTERS_TIMEOUT_S)
        try:
            await self._bus.flush()
        except BusUnavailable as error:
            self._log.warning("the last market data may not have left", reason=str(error))
        self._log.info("feeds ended", published={each.subject: each.sequence for each in self.positions()})

    def status(self) -> Mapping[str, Json]:
        """Return the state of every feed by name, and what became of bad messages."""
        return {
            "feeds": {feed.name: feed.status() for feed in self._feeds},
            "dead_letters": self._letters.taken,
            "dead_letters_lost": self._letters.lost,
        }

    def positions(self) -> Sequence[Position]:
        """Return the last number published on each subject."""
        return [position for feed in self._feeds for position in feed.positions()]
