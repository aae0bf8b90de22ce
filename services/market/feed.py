"""Say what the market service runs: feeds, each publishing one subject."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from services.runtime import Json, Position


class Feed(ABC):
    """One feed from its source to the bus. Started once, stopped once."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the name of the exchange, or ``replay``."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to publish in the background; what is still missing is said to the health report."""

    @abstractmethod
    async def stop(self) -> None:
        """Take nothing new and publish what was taken; nothing is published after it returns. May be called twice."""

    @abstractmethod
    def status(self) -> Mapping[str, Json]:
        """Return what ``/status`` shows of the feed."""

    @abstractmethod
    def positions(self) -> Sequence[Position]:
        """Return the last number published on each subject: what the heartbeat carries."""
