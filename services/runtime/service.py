"""What a service is to the runtime that runs it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tradebus.wire.codec.heartbeat import StreamPosition

Json: TypeAlias = "bool | int | str | list[Json] | Mapping[str, Json] | None"
"""Data for `/status`: decimals as text, times as nanoseconds."""


class Service(ABC):
    """The work between start and stop; built by the service's `bootstrap`."""

    @abstractmethod
    async def start(self) -> None:
        """Set up and begin to work; return when the service does all of its work. Cancelled by an early stop."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop in order: take nothing new, finish what is begun, flush, close. Called once, also after a failure."""

    def status(self) -> Mapping[str, Json]:
        """Return what `/status` shows beside the runtime's own fields."""
        return {}

    def positions(self) -> Sequence[StreamPosition]:
        """Return how far this service is in everything numbered that it publishes; goes into every heartbeat."""
        return ()

    def leases(self) -> Sequence[str]:
        """Return the keys of the leases that this process owns; goes into every heartbeat."""
        return ()
