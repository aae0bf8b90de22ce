"""Find out from the venue what became of a request that got no answer, and believe "nothing" only with good reason."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.execution.request_ledger import Carried
from services.execution.venue import Unanswered, Venue
from tradebus.core.engine.event import AccountData, OrderReceived, RequestNeverReceived
from tradebus.core.model.order import Open, Order, RequestKind


@dataclass(frozen=True, slots=True)
class ResolvePolicy:
    """How often the venue is asked, and when its "no such order" is believed.

    Only when the request can land no more, and ``clean_queries`` of them over at least ``clean_s`` all said so. A query
    without an answer is no answer, and begins the count anew.
    """

    clean_queries: int = 3
    clean_s: float = 10.0
    query_period_s: float = 1.0
    poll_period_s: float = 1.0


@final
class Resolver:
    """Asks about one request until it is known. ``clock`` gives nanoseconds since the epoch."""

    def __init__(
        self, venue: Venue, policy: ResolvePolicy, carried: Carried, deadline_ns: int, clock: Callable[[], int]
    ) -> None:
        self._venue: Final = venue
        self._policy: Final = policy
        self._carried: Final = carried
        self._landed_by_ns: Final = deadline_ns + venue.landing_ns
        self._clock: Final = clock

    async def run(self) -> list[AccountData]:
        """Return what was found, however long that takes."""
        clean, since_s = 0, 0.0
        loop = asyncio.get_running_loop()
        while True:
            is_settled = self._clock() > self._landed_by_ns
            try:
                found = await self._venue.query(self._carried.key)
            except Unanswered:
                clean = 0
            else:
                if found is not None and (is_settled or self._carried.kind is RequestKind.OPEN):
                    return self._told(found)
                if found is None and is_settled:
                    since_s = loop.time() if clean == 0 else since_s
                    clean += 1
                    if clean >= self._policy.clean_queries and loop.time() - since_s >= self._policy.clean_s:
                        return [self._never(f"the venue does not know it, asked {clean} times")]
            await asyncio.sleep(self._policy.query_period_s)

    def _told(self, found: Order) -> list[AccountData]:
        """Return the order as the venue has it; a cancel or amend of one that is open as it was never landed."""
        told: list[AccountData] = [OrderReceived(found)]
        if self._carried.kind is not RequestKind.OPEN and isinstance(found.state, Open):
            return [self._never("the order is open, and the request can land no more"), *told]
        return told

    def _never(self, reason: str) -> RequestNeverReceived:
        return RequestNeverReceived(self._carried.key, self._carried.kind, reason)
