"""What a memory bus hands out: subscriptions, readers, buckets, and the slot in which an answer is awaited."""

import asyncio
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.delivery import HandlerQueue
from tradebus.bus.errors import JournalPruned, JournalRewound, PayloadTooLarge, UnknownOutcome
from tradebus.bus.events import DropCounter, EventHub, HandlerFailed, ReaderResumed, SlowConsumer
from tradebus.bus.interface import PENDING_MESSAGES_MAX, Bucket, Subscription
from tradebus.bus.matching import checked_key, checked_pattern, subject_matches
from tradebus.bus.memory_broker import MemoryBroker, Receiver
from tradebus.bus.memory_store import MemoryBucket, MemoryStream, header_bytes
from tradebus.bus.message import (
    Entry,
    EntryHandler,
    Headers,
    JournalHandler,
    Message,
    MessageHandler,
    Request,
    RequestHandler,
)
from tradebus.bus.reading import SLICE_MESSAGES, ReaderBase


@final
class ReplySlot:
    """The place where one answer is awaited."""

    def __init__(self, subject: str) -> None:
        self._subject: Final = subject
        self._answer: Final[asyncio.Future[Message]] = asyncio.get_running_loop().create_future()
        self.failure: str | None = None

    def answer(self, message: Message) -> None:
        """Take the first answer; later ones are ignored."""
        if not self._answer.done():
            self._answer.set_result(message)

    def fail(self, reason: str) -> None:
        """End the waiting without an answer."""
        self.failure = reason
        self._answer.cancel()

    async def wait(self, timeout_s: float) -> Message:
        """Return the answer. Raises UnknownOutcome."""
        await asyncio.wait([self._answer], timeout=timeout_s)
        if self._answer.done() and not self._answer.cancelled():
            return self._answer.result()
        reason = self.failure or f"no answer within {timeout_s:g} s"
        self._answer.cancel()
        raise UnknownOutcome(self._subject, reason)


@final
class MemoryRequest(Request):
    """A request with the way back to its sender."""

    __slots__ = ("_answer", "_bytes_max")

    def __init__(self, message: Message, answer: Callable[[Message], None], bytes_max: int) -> None:
        super().__init__(message.subject, message.payload, message.headers)
        self._answer = answer
        self._bytes_max = bytes_max

    def reply(self, payload: bytes, headers: Headers | None = None) -> bool:
        """Answer the sender."""
        size = len(payload) + header_bytes(headers)
        if size > self._bytes_max:
            raise PayloadTooLarge(self.subject, size, self._bytes_max)
        self._answer(Message(self.subject, payload, headers))
        return True


@final
class MemorySubscription(Subscription, Receiver):
    """Interest in a subject; ``of_messages`` and ``of_requests`` make the two kinds."""

    def __init__(self, pattern: str, events: EventHub, forget: "Callable[[MemorySubscription], None]") -> None:
        self.pattern = pattern
        self._events: Final = events
        self._forget: Final = forget
        self._drops: Final = DropCounter(self._report_drops)
        self._messages: HandlerQueue[Message] | None = None
        self._requests: HandlerQueue[Request] | None = None
        self._bytes_max = 0

    @classmethod
    def of_messages(
        cls,
        pattern: str,
        handler: MessageHandler,
        events: EventHub,
        forget: "Callable[[MemorySubscription], None]",
        pending_max: int,
    ) -> "MemorySubscription":
        """Return a subscription to whatever is published."""
        subscription = cls(pattern, events, forget)
        subscription._messages = HandlerQueue(handler, subscription._report_failure, pending_max)
        return subscription

    @classmethod
    def of_requests(
        cls,
        pattern: str,
        handler: RequestHandler,
        events: EventHub,
        forget: "Callable[[MemorySubscription], None]",
        bytes_max: int,
    ) -> "MemorySubscription":
        """Return a subscription to requests."""
        subscription = cls(pattern, events, forget)
        subscription._bytes_max = bytes_max
        subscription._requests = HandlerQueue(handler, subscription._report_failure, PENDING_MESSAGES_MAX)
        return subscription

    @property
    def subject(self) -> str:
        """Return what was subscribed to."""
        return self.pattern

    @property
    def pending(self) -> int:
        """Return how many messages wait for the handler."""
        return sum(queue.pending for queue in (self._messages, self._requests) if queue is not None)

    @property
    def dropped(self) -> int:
        """Return how many messages were dropped because the handler was behind."""
        return self._drops.total

    def deliver(self, message: Message, answer: Callable[[Message], None] | None) -> None:
        """Queue a message for the handler, or count it as dropped."""
        if self._messages is not None:
            taken = self._messages.offer(message)
        elif self._requests is not None and answer is not None:
            taken = self._requests.offer(MemoryRequest(message, answer, self._bytes_max))
        else:
            return
        if not taken:
            self._drops.count()

    async def unsubscribe(self) -> None:
        """Stop; what waits is discarded."""
        self._forget(self)
        self._drops.close()
        for queue in (self._messages, self._requests):
            if queue is not None:
                await queue.stop()

    async def drain(self) -> None:
        """Stop after what waits has been handled."""
        self._forget(self)
        for queue in (self._messages, self._requests):
            if queue is not None:
                await queue.drain()
        await self.unsubscribe()

    def cancel(self) -> None:
        """Stop at once."""
        for queue in (self._messages, self._requests):
            if queue is not None:
                queue.cancel()

    def _report_failure(self, item: Message | Request, error: Exception) -> None:
        self._events.emit(HandlerFailed(item.subject, error))

    def _report_drops(self, dropped: int, dropped_total: int) -> None:
        self._events.emit(SlowConsumer(self.pattern, dropped, dropped_total))


@final
class MemoryReader(ReaderBase):
    """Reads a memory stream while its bus is connected."""

    def __init__(
        self,
        kept: MemoryStream,
        start_sequence: int,
        handler: JournalHandler,
        events: EventHub,
        is_connected: Callable[[], bool],
    ) -> None:
        if start_sequence < kept.first_sequence:
            raise JournalPruned(kept.spec.name, start_sequence, kept.first_sequence)
        super().__init__(kept.spec.name, start_sequence, kept.last_sequence, handler, events)
        self._kept: Final = kept
        self._is_connected: Final = is_connected
        self._wake: Final = asyncio.Event()
        self._wake.set()
        kept.attach(self._wake.set)
        self._task: Final = asyncio.get_running_loop().create_task(self._run())

    def resume(self) -> None:
        """Go on after a reconnection."""
        if not self.is_over:
            self._events.emit(ReaderResumed(self._stream, self._next_sequence, "reconnected"))
            self._wake.set()

    async def stop(self) -> None:
        """Stop reading; a handler that is running is awaited first, unless it is the caller."""
        self._note_stopped()
        self._wake.set()
        if asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while not self.is_over:
                await self._wake.wait()
                self._wake.clear()
                while self._is_connected() and not self.is_over:
                    message = self._kept.delivery(self._next_sequence)
                    if message is None:
                        self._check_position()
                        break
                    await self._hand_over(message)
                    if message.sequence % SLICE_MESSAGES == 0:
                        await asyncio.sleep(0)
        finally:
            self._kept.detach(self._wake.set)

    def _check_position(self) -> None:
        wanted = self._next_sequence
        if wanted < self._kept.first_sequence:
            self._fail(JournalPruned(self._stream, wanted, self._kept.first_sequence))
        elif wanted > self._kept.last_sequence + 1:
            self._fail(JournalRewound(self._stream, wanted, self._kept.last_sequence))


@final
class MemoryWatch(Subscription):
    """Interest in the keys of a bucket."""

    def __init__(self, kept: MemoryBucket, keys: str, handler: EntryHandler, events: EventHub) -> None:
        self._kept: Final = kept
        self._keys: Final = keys
        self._events: Final = events
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

    def _report_failure(self, entry: Entry, error: Exception) -> None:
        self._events.emit(HandlerFailed(f"{entry.bucket}/{entry.key}", error))


@final
class MemoryBucketClient(Bucket):
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

    def _kept(self) -> MemoryBucket:
        self._must_be_reachable(self._name)
        return self._broker.bucket(self._name)
