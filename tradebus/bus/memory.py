"""The bus in memory: for tests, and for a whole system in one process.

Every ``MemoryBus`` is one client of a ``MemoryBroker``; several of them on one broker see each other's messages as
services do over NATS. Handlers run in tasks of their own, never inside ``publish``.
"""

import asyncio
from typing import Final, final

from tradebus.bus.errors import (
    AppendUncertain,
    BusClosed,
    JournalRewound,
    NoResponders,
    NotSent,
    PayloadTooLarge,
    PermissionDenied,
    UnknownOutcome,
)
from tradebus.bus.events import (
    Connected,
    Disconnected,
    DropCounter,
    EventHub,
    Listener,
    OutboundDropped,
    PermissionViolation,
    Reconnected,
)
from tradebus.bus.header_block import header_bytes
from tradebus.bus.interface import (
    APPEND_TIMEOUT_S,
    CLOSE_TIMEOUT_S,
    PENDING_MESSAGES_MAX,
    READ_TIMEOUT_S,
    Bucket,
    Bus,
    JournalReader,
    Subscription,
)
from tradebus.bus.matching import checked_pattern, checked_subject
from tradebus.bus.memory_broker import Client, MemoryBroker
from tradebus.bus.memory_bucket import MemoryBucket
from tradebus.bus.memory_reader import MemoryReader
from tradebus.bus.memory_subscription import MemorySubscription, ReplySlot
from tradebus.bus.message import (
    Headers,
    JournalHandler,
    JournalMessage,
    JournalState,
    Message,
    MessageHandler,
    RequestHandler,
)

CONNECTION: Final = "memory"


@final
class MemoryBus(Bus, Client):
    """One client of a memory broker. Make it within the event loop."""

    def __init__(self, broker: MemoryBroker, *, listener: Listener | None = None) -> None:
        self._broker: Final = broker
        self._events: Final = EventHub()
        if listener is not None:
            self._events.add(listener)
        self._loop: Final = asyncio.get_running_loop()
        self._outbound: Final = DropCounter(self._report_outbound)
        self._subscriptions: list[MemorySubscription] = []
        self._readers: list[MemoryReader] = []
        self._watches: list[Subscription] = []
        self._waiting: set[ReplySlot] = set()
        self._closing = False
        self._closed = False
        self._connected = broker.is_up
        self._lost_at = self._loop.time()
        broker.attach(self)
        if self._connected:
            self._events.emit(Connected(CONNECTION, CONNECTION, ""))

    # ------------------------------------------------------------------------------ state

    def add_listener(self, listener: Listener) -> None:
        """Report what happens to the bus itself to ``listener`` from now on."""
        self._events.add(listener)

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be reached."""
        return self._connected and not self._closed

    @property
    def message_bytes_max(self) -> int:
        """Return how many bytes payload and headers of one message may have."""
        return self._broker.message_bytes_max

    @property
    def receivers(self) -> tuple[MemorySubscription, ...]:
        """Return the subscriptions that take part now: none while disconnected."""
        return tuple(self._subscriptions) if self._connected else ()

    def lose_connection(self) -> None:
        """Play a lost connection: what is under way has an unknown outcome, nothing more comes in."""
        if not self._connected or self._closed:
            return
        self._connected = False
        self._lost_at = self._loop.time()
        for slot in tuple(self._waiting):
            slot.fail("the connection was lost while waiting")
        self._events.emit(Disconnected(CONNECTION))

    def regain_connection(self) -> None:
        """Play a reconnection: subscriptions take part again, readers go on where they were."""
        if self._connected or self._closed:
            return
        self._connected = True
        self._events.emit(Reconnected(CONNECTION, self._loop.time() - self._lost_at))
        for reader in tuple(self._readers):
            reader.resume()

    # ------------------------------------------------------------------------------ messages

    def publish(self, subject: str, payload: bytes, headers: Headers | None = None) -> bool:
        """Deliver a message to who listens now."""
        message = self._checked(subject, payload, headers)
        if not self.is_connected:
            self._outbound.count()
            return False
        if self._broker.is_denied(subject):
            self._events.emit(PermissionViolation(CONNECTION, "publish", subject))
            return True
        self._broker.publish(message)
        return True

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, pending_messages_max: int = PENDING_MESSAGES_MAX
    ) -> Subscription:
        """Call ``handler`` with each message published on ``subject``."""
        self._must_be_open(subject)
        self._must_be_allowed(checked_pattern(subject), "subscription")
        subscription = MemorySubscription.of_messages(subject, handler, self._events, self._drop, pending_messages_max)
        self._subscriptions.append(subscription)
        return subscription

    async def flush(self, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Return at once: a memory broker has everything already."""
        del timeout_s
        self._must_be_reachable("flush")

    # ------------------------------------------------------------------------------ requests

    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: Headers | None = None
    ) -> Message:
        """Send a request and return the first answer."""
        message = self._checked(subject, payload, headers)
        self._must_be_reachable(subject)
        self._must_be_allowed(subject, "publish")
        slot = ReplySlot(subject)
        self._waiting.add(slot)
        try:
            if self._broker.publish(message, slot.answer) == 0:
                raise NoResponders(subject)
            return await slot.wait(timeout_s)
        finally:
            self._waiting.discard(slot)

    async def respond(self, subject: str, handler: RequestHandler) -> Subscription:
        """Call ``handler`` with each request on ``subject``."""
        self._must_be_open(subject)
        self._must_be_allowed(checked_pattern(subject), "subscription")
        subscription = MemorySubscription.of_requests(
            subject, handler, self._events, self._drop, self._broker.message_bytes_max
        )
        self._subscriptions.append(subscription)
        return subscription

    # ------------------------------------------------------------------------------ journals

    async def append(
        self,
        subject: str,
        payload: bytes,
        *,
        expected_last_sequence: int | None = None,
        headers: Headers | None = None,
        timeout_s: float = APPEND_TIMEOUT_S,
    ) -> int:
        """Append to the stream that keeps ``subject``."""
        self._checked(subject, payload, headers)
        self._must_be_reachable(subject)
        self._must_be_allowed(subject, "publish")
        slot = ReplySlot(subject)
        self._waiting.add(slot)
        try:
            # An acknowledgement takes time on a real bus too; without this turn of the loop a caller that
            # forgets to wait for it would never be found out.
            await asyncio.sleep(0)
            if slot.failure is not None:
                raise AppendUncertain(subject, slot.failure)
            sequence = self._broker.append(subject, payload, headers, expected_last_sequence)
            if sequence is not None:
                return sequence
            await slot.wait(timeout_s)
        except UnknownOutcome as error:
            raise AppendUncertain(subject, error.reason) from error
        finally:
            self._waiting.discard(slot)
        raise AssertionError("a lost acknowledgement cannot be answered")

    async def journal_state(self, stream: str) -> JournalState:
        """Return what a stream holds."""
        self._must_be_reachable(stream)
        return self._broker.stream(stream).state()

    async def last_message(self, stream: str) -> JournalMessage | None:
        """Return a stream's last message."""
        self._must_be_reachable(stream)
        kept = self._broker.stream(stream)
        return kept.message(kept.last_sequence)

    async def message(self, stream: str, sequence: int) -> JournalMessage | None:
        """Return one message of a stream."""
        self._must_be_reachable(stream)
        return self._broker.stream(stream).message(sequence)

    async def consume(self, stream: str, start_sequence: int, handler: JournalHandler) -> JournalReader:
        """Read a stream from ``start_sequence`` on."""
        self._must_be_reachable(stream)
        kept = self._broker.stream(stream)
        if start_sequence > kept.last_sequence + 1:
            raise JournalRewound(stream, start_sequence, kept.last_sequence)
        reader = MemoryReader(kept, start_sequence, handler, self._events, lambda: self.is_connected)
        self._readers.append(reader)
        return reader

    # ------------------------------------------------------------------------------ buckets and the end

    def bucket(self, name: str) -> Bucket:
        """Return a bucket by name."""
        return MemoryBucket(name, self._broker, self._events, self._must_be_reachable, self._watches.append)

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Stop readers, then subscriptions after what waits has been handled."""
        if self._closing:
            return
        self._closing = True
        subscriptions = tuple(self._subscriptions)
        endings = [reader.stop() for reader in self._readers]
        endings += [watch.unsubscribe() for watch in self._watches]
        endings += [subscription.drain() for subscription in subscriptions]
        tasks = [self._loop.create_task(ending) for ending in endings]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
        for subscription in subscriptions:
            subscription.cancel()
        self._closed = True
        self._broker.detach(self)
        for slot in tuple(self._waiting):
            slot.fail("the bus was closed while waiting")
        self._outbound.close()

    # ------------------------------------------------------------------------------ inside

    def _checked(self, subject: str, payload: bytes, headers: Headers | None) -> Message:
        size = len(payload) + header_bytes(headers)
        if size > self._broker.message_bytes_max:
            raise PayloadTooLarge(subject, size, self._broker.message_bytes_max)
        return Message(checked_subject(subject), payload, headers)

    def _must_be_open(self, what: str) -> None:
        if self._closed:
            raise BusClosed(what)

    def _must_be_reachable(self, what: str) -> None:
        self._must_be_open(what)
        if not self._connected:
            raise NotSent(what, "not connected")

    def _must_be_allowed(self, subject: str, operation: str) -> None:
        if self._broker.is_denied(subject):
            self._events.emit(PermissionViolation(CONNECTION, operation, subject))
            raise PermissionDenied(subject, operation)

    def _drop(self, subscription: MemorySubscription) -> None:
        self._subscriptions = [known for known in self._subscriptions if known is not subscription]

    def _report_outbound(self, dropped: int, dropped_total: int) -> None:
        self._events.emit(OutboundDropped(CONNECTION, dropped, dropped_total))
