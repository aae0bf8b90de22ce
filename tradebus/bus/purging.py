"""Drop the beginning of streams: the one thing that shortens a journal, done over a connection of its own.

The user of that connection may purge and nothing else; no other may purge.
"""

from abc import ABC, abstractmethod
from typing import Final, Self, final

from tradebus.bus.events import EventHub, Listener
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions

CONNECT_TIMEOUT_S: Final = 2.0


class StreamPurger(ABC):
    """Drops messages from the front of a stream."""

    @abstractmethod
    async def purge(self, stream: str, first_kept: int) -> int:
        """Drop every message before ``first_kept`` and return how many that were.

        Raises NoJournal, Refused, and NotSent or UnknownOutcome: doing it again is harmless.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the connection. Never raises."""


@final
class NatsPurger(StreamPurger):
    """Purges streams of a NATS server; make it with ``connect``."""

    def __init__(self, link: NatsLink) -> None:
        self._link: Final = link
        self._api: Final = JetStreamApi(link)

    @classmethod
    async def connect(
        cls, options: NatsOptions, *, listener: Listener | None = None, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> Self:
        """Return a connected one, which reconnects for ever. Raises ConnectFailed, PermissionDenied."""
        events = EventHub()
        if listener is not None:
            events.add(listener)
        link = NatsLink("pruner", options, events)
        try:
            await link.open(timeout_s)
        except BaseException:
            await link.close(0.5)
            raise
        return cls(link)

    async def purge(self, stream: str, first_kept: int) -> int:
        """Drop every message before ``first_kept``."""
        answer = await self._api.call(f"STREAM.PURGE.{stream}", {"seq": first_kept})
        return int(answer.get("purged", 0))

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close(1.0)
