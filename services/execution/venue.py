"""What a venue's client offers to the owner of an account on it; each venue's folder implements it."""

from abc import ABC, abstractmethod
from typing import Final

from tradebus.core.model.account import Trade
from tradebus.core.model.order import (
    Cancelled,
    Open,
    Order,
    OrderError,
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
)


class Unanswered(Exception):
    """The venue said nothing: a timeout, a lost link, an answer without sense. What was asked may have happened."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.reason: Final = reason


class Venue(ABC):
    """One account at one venue. Nothing is tried twice in here: what is not answered is the caller's to resolve.

    Every call raises Unanswered. A refusal by the venue is an answer: an OrderError.
    """

    @property
    @abstractmethod
    def landing_ns(self) -> int:
        """Return for how long after its deadline a request that was sent may still be carried out, in nanoseconds."""

    @abstractmethod
    async def submit(self, request: OrderRequestOpen) -> Open | OrderError:
        """Send an order, once, under its client order id."""

    @abstractmethod
    async def cancel(self, request: OrderRequestCancel) -> Cancelled | OrderError:
        """Send a cancel."""

    @abstractmethod
    async def amend(self, request: OrderRequestAmend) -> Open | OrderError:
        """Send an amend; the answer is the order at its new price and quantity."""

    @abstractmethod
    async def query(self, key: OrderKey) -> Order | None:
        """Return an order as the venue has it, by client order id, none if it has none."""

    @abstractmethod
    async def open_orders(self) -> list[Order]:
        """Return every order that is open."""

    @abstractmethod
    async def trades(self, since_ns: int) -> list[Trade]:
        """Return the account's fills from a venue time on, in order, nanoseconds since the epoch."""
