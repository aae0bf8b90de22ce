"""Watch who holds which leases, without asking for any."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from tradebus.bus.interface import Bucket, Subscription
from tradebus.bus.leases import holder_of
from tradebus.bus.message import Entry
from tradebus.bus.topology import LEASE_TTL_S

UNSEEN_S: Final = LEASE_TTL_S + 1.0
"""A lease that was not renewed for so long is nobody's, even where its end went by unseen during an outage."""


@final
class LeaseBoard:
    """Who holds the leases whose keys match one of ``patterns``, as far as this process has been told.

    What it says may be old by a moment: it is for choosing what to ask for. ``changed`` is called after each change of
    a holder. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        bucket: Bucket,
        patterns: Iterable[str],
        changed: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket: Final = bucket
        self._patterns: Final = tuple(patterns)
        self._changed: Final = changed
        self._clock: Final = clock
        self._seen: dict[str, tuple[str, float]] = {}
        self._watches: list[Subscription] = []

    async def start(self) -> None:
        """Return when everything is known that is held now. Raises NoBucket, BusUnavailable."""
        for pattern in self._patterns:
            self._watches.append(await self._bucket.watch(self._take, pattern))

    async def stop(self) -> None:
        """Watch no more."""
        await asyncio.gather(*(watch.unsubscribe() for watch in self._watches))
        self._watches.clear()

    def holders(self) -> Mapping[str, str]:
        """Return the holder of each lease that is held, by key."""
        oldest_s = self._clock() - UNSEEN_S
        return {key: holder for key, (holder, seen_s) in self._seen.items() if seen_s >= oldest_s}

    def _take(self, entry: Entry) -> None:
        holder = holder_of(entry)
        before = self._seen.get(entry.key)
        if holder is None:
            self._seen.pop(entry.key, None)
        else:
            self._seen[entry.key] = (holder, self._clock())
        if holder != (None if before is None else before[0]):
            self._changed()
