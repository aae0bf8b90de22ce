"""Key-value buckets on JetStream: a stream that keeps the newest message of each subject.

The layout is the one all NATS clients use (ADR-8), so that the ``nats`` command line shows these buckets too.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, final

from tradebus.bus.delivery import HandlerQueue
from tradebus.bus.errors import BusError, NoBucket, NoJournal, UnreadableValue, WrongLastSequence, WrongRevision
from tradebus.bus.events import EventHub, FailureCounter, ReaderFailed
from tradebus.bus.interface import APPEND_TIMEOUT_S, Bucket, Subscription
from tradebus.bus.matching import checked_key, checked_pattern
from tradebus.bus.message import Entry, EntryHandler, Headers
from tradebus.bus.nats_api import EXPECTED_LAST_SUBJECT_SEQUENCE, JetStreamApi
from tradebus.bus.nats_feed import Delivery, PushFeed
from tradebus.bus.nats_link import NatsLink

OPERATION: Final = "KV-Operation"
MARKER_REASON: Final = "Nats-Marker-Reason"
DELETED: Final = "DEL"


def bucket_stream(bucket: str) -> str:
    """Return the stream behind a bucket."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    """Return the subject behind a key, or keys with wildcards."""
    return f"$KV.{bucket}.{key}"


@final
class NatsBucket(Bucket):
    """A bucket over one link."""

    def __init__(self, link: NatsLink, name: str, events: EventHub, remember: "Callable[[NatsWatch], None]") -> None:
        self._link: Final = link
        self._api: Final = JetStreamApi(link)
        self._name: Final = name
        self._events: Final = events
        self._remember: Final = remember

    @property
    def name(self) -> str:
        """Return the bucket's name."""
        return self._name

    async def get(self, key: str) -> Entry | None:
        """Return the newest value, or None."""
        entry = await self._newest(key)
        return None if entry is None or entry.value is None else entry

    async def put(self, key: str, value: bytes) -> int:
        """Set a value whatever was there."""
        return await self._store(key, value, {}, None)

    async def update(self, key: str, value: bytes, expected_revision: int) -> int:
        """Set a value if the key's revision is the expected one."""
        try:
            return await self._store(key, value, {}, expected_revision)
        except WrongRevision:
            if expected_revision != 0:
                raise
            # A deletion leaves a message with a revision of its own; for us the key has no value all the same.
            newest = await self._newest(key)
            if newest is not None and newest.value is not None:
                raise
            return await self._store(key, value, {}, 0 if newest is None else newest.revision)

    async def delete(self, key: str, expected_revision: int | None = None) -> None:
        """Delete a key."""
        await self._store(key, b"", {OPERATION: DELETED}, expected_revision)

    async def watch(self, handler: EntryHandler, keys: str = ">") -> Subscription:
        """Hand over the present values, then every change."""
        watch = NatsWatch(self._link, self._name, checked_pattern(keys), handler, self._events)
        try:
            await watch.begin()
        except NoJournal as error:
            raise NoBucket(self._name) from error
        self._remember(watch)
        return watch

    async def _newest(self, key: str) -> Entry | None:
        """Return the newest entry, which may be a deletion."""
        subject = bucket_subject(self._name, checked_key(self._name, key))
        try:
            stored = await self._api.message(bucket_stream(self._name), {"last_by_subj": subject})
        except NoJournal as error:
            raise NoBucket(self._name) from error
        if stored is None:
            return None
        return _entry(self._name, stored.subject, stored.payload, stored.headers, stored.sequence)

    async def _store(self, key: str, value: bytes, headers: dict[str, str], expected_revision: int | None) -> int:
        subject = bucket_subject(self._name, checked_key(self._name, key))
        if expected_revision is not None:
            headers[EXPECTED_LAST_SUBJECT_SEQUENCE] = str(expected_revision)
        try:
            return await self._api.append(subject, value, headers, APPEND_TIMEOUT_S)
        except WrongLastSequence as error:
            raise WrongRevision(self._name, key, expected_revision or 0) from error
        except NoJournal as error:
            raise NoBucket(self._name) from error


@final
class NatsWatch(Subscription):
    """Interest in the keys of a bucket, across reconnections."""

    def __init__(self, link: NatsLink, bucket: str, keys: str, handler: EntryHandler, events: EventHub) -> None:
        self._api: Final = JetStreamApi(link)
        self._bucket: Final = bucket
        self._keys: Final = keys
        self._events: Final = events
        self._failures: Final = FailureCounter(events, f"{bucket}/{keys}")
        self._queue: Final[HandlerQueue[Entry]] = HandlerQueue(handler, self._report_failure)
        self._last_revision = 0
        self._present_taken: Final = asyncio.Event()
        self._feed: Final = PushFeed(
            link,
            bucket_stream(bucket),
            start=self._position,
            take=self._take,
            idle=self._stop_waiting,
            gave_up=self._give_up,
            resumed=lambda _reason: None,
        )

    async def begin(self) -> None:
        """Start, and return when the present values have been handed over. Raises NoJournal, BusUnavailable."""
        try:
            if await self._feed.begin() == 0:
                self._present_taken.set()
        except BusError:
            await self._queue.stop()
            raise
        await self._present_taken.wait()
        await self._queue.drain()

    @property
    def subject(self) -> str:
        """Return the keys that were asked for."""
        return self._keys

    @property
    def pending(self) -> int:
        """Return how many changes wait for the handler."""
        return self._queue.pending + self._feed.queued

    @property
    def dropped(self) -> int:
        """Return 0: a watch drops nothing."""
        return 0

    def reconnected(self) -> None:
        """Go on after a reconnection."""
        self._feed.restart("reconnected")

    async def unsubscribe(self) -> None:
        """Stop; what waits is discarded."""
        self._present_taken.set()
        await self._feed.stop()
        await self._queue.stop()
        self._failures.close()

    async def _position(self) -> dict[str, Any]:
        state = await self._api.stream_state(bucket_stream(self._bucket))
        position: dict[str, Any] = {"filter_subject": bucket_subject(self._bucket, self._keys)}
        if self._last_revision == 0 or self._last_revision > state.last_sequence:
            # The first time, or a bucket made anew: begin with what is there.
            self._last_revision = 0
            return {**position, "deliver_policy": "last_per_subject"}
        return {**position, "deliver_policy": "by_start_sequence", "opt_start_seq": self._last_revision + 1}

    async def _take(self, delivery: Delivery) -> bool:
        source = delivery.message
        self._last_revision = delivery.sequence
        entry = _entry(self._bucket, source.subject, source.data, source.headers, delivery.sequence)
        if entry.value is not None or self._present_taken.is_set():
            self._queue.offer(entry)
        if delivery.pending == 0:
            self._present_taken.set()
        return True

    def _stop_waiting(self) -> None:
        """Go on without a present value that does not come: the server counts it, and cannot read it."""
        if not self._present_taken.is_set():
            self._present_taken.set()
            self._failures.count(UnreadableValue(self._bucket, self._keys))

    def _give_up(self, error: BusError) -> None:
        self._present_taken.set()
        self._events.emit(ReaderFailed(bucket_stream(self._bucket), error))

    def _report_failure(self, _entry: Entry, error: Exception) -> None:
        self._failures.count(error)


def _entry(bucket: str, subject: str, payload: bytes, headers: Headers | None, revision: int) -> Entry:
    """Return an entry; deletions and expiries are messages with a header that says so."""
    key = subject[len(bucket_subject(bucket, "")) :]
    is_gone = headers is not None and (OPERATION in headers or MARKER_REASON in headers)
    return Entry(bucket, key, None if is_gone else payload, revision)
