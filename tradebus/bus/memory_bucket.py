"""Buckets as a memory bus sees them."""

from collections.abc import Callable
from typing import Final, final

from tradebus.bus.delivery import HandlerQueue
from tradebus.bus.events import EventHub, FailureCounter
from tradebus.bus.interface import Bucket, Subscription
from tradebus.bus.matching import checked_key, checked_pattern, subject_matches
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.memory_store import StoredBucket
from tradebus.bus.message import Entry, EntryHandler


@final
class MemoryWatch(Subscription):
    """Interest in the keys of a bucket."""

    def __init__(self, kept: StoredBucket, keys: str, handler: EntryHandler, events: EventHub) -> None:
        self._kept: Final = kept
        self._keys: Final = keys
        self._failures: Final = FailureCounter(events, f"{kept.spec.name}/{keys}")
        self._queue: Final[HandlerQueue[Entry]] = HandlerQueue(handler, self._report_failure)
        kept.attach(self.offer)

    @property
    def subject(self) -> str:
        """Return the keys that were asked for."""
        return self._keys

    @property
    def pending(self) -> int:
        """Return how many changes wait for the handler."""
        return self._queue.pending

    @property
    def dropped(self) -> int:
        """Return 0: a watch drops nothing."""
        return 0

    def offer(self, entry: Entry) -> None:
        """Queue a change for the handler."""
        if subject_matches(self._keys, entry.key):
            self._queue.offer(entry)

    async def drain(self) -> None:
        """Return when everything so far has been handled."""
        await self._queue.drain()

    async def unsubscribe(self) -> None:
        """Stop; what waits is discarded."""
        self._kept.detach(self.offer)
        await self._queue.stop()
        self._failures.close()

    def _report_failure(self, _entry: Entry, error: Exception) -> None:
        self._failures.count(error)


@final
class MemoryBucket(Bucket):
    """A bucket as one bus sees it."""

    def __init__(
        self,
        name: str,
        broker: MemoryBroker,
        events: EventHub,
        must_be_reachable: Callable[[str], None],
        remember: Callable[[MemoryWatch], None],
    ) -> None:
        self._name: Final = name
        self._broker: Final = broker
        self._events: Final = events
        self._must_be_reachable: Final = must_be_reachable
        self._remember: Final = remember

    @property
    def name(self) -> str:
        """Return the bucket's name."""
        return self._name

    async def get(self, key: str) -> Entry | None:
        """Return the newest value, or None."""
        return self._kept().get(checked_key(self._name, key))

    async def put(self, key: str, value: bytes) -> int:
        """Set a value whatever was there."""
        return self._kept().set(checked_key(self._name, key), value, None)

    async def update(self, key: str, value: bytes, expected_revision: int) -> int:
        """Set a value if the key's revision is the expected one."""
        return self._kept().set(checked_key(self._name, key), value, expected_revision)

    async def delete(self, key: str, expected_revision: int | None = None) -> None:
        """Delete a key."""
        self._kept().set(checked_key(self._name, key), None, expected_revision)

    async def watch(self, handler: EntryHandler, keys: str = ">") -> Subscription:
        """Hand over the present values, then every change."""
        kept = self._kept()
        watch = MemoryWatch(kept, checked_pattern(keys), handler, self._events)
        self._remember(watch)
        for entry in kept.entries():
            watch.offer(entry)
        await watch.drain()
        return watch

    def _kept(self) -> StoredBucket:
        self._must_be_reachable(self._name)
        return self._broker.bucket(self._name)
