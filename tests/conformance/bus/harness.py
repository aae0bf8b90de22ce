"""What a bus must offer for the contract suite to test it."""

from abc import ABC, abstractmethod

from tests.support.bus_events import EventLog
from tradebus.bus.interface import Bus


class Harness(ABC):
    """One broker as one test sees it: streams of its own, buses on them, and the faults the contract speaks of.

    ``forbidden`` is a token: every subject ``md.<forbidden>.0``, ``exec.<forbidden>`` and ``audit.<forbidden>`` is
    refused to the buses of this harness.
    """

    engine: str
    account: str
    forbidden = "forbidden"

    @property
    def audit(self) -> str:
        return f"audit.{self.engine}"

    @property
    def audit_stream(self) -> str:
        return f"AUDIT_{self.engine}"

    @property
    def exec(self) -> str:
        return f"exec.{self.account}"

    @property
    def md(self) -> str:
        """A subject of market data that no other test uses."""
        return f"md.{self.account}.0"

    @abstractmethod
    async def bus(self, log: EventLog | None = None) -> Bus:
        """Return a new connected bus; the harness closes it."""

    @abstractmethod
    async def start_outage(self) -> None:
        """Make the broker unreachable and return when every bus has noticed."""

    @abstractmethod
    async def end_outage(self) -> None:
        """Make it reachable and return when every bus is connected again."""

    @abstractmethod
    async def prune(self, stream: str, first_kept: int) -> None:
        """Drop everything before ``first_kept``, as the pruner does."""

    @abstractmethod
    async def remake(self, stream: str) -> None:
        """Delete a stream and make it anew, empty."""

    @abstractmethod
    async def close(self) -> None:
        """Close every bus and undo every fault."""
