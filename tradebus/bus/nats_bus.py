"""The bus over NATS.

Three connections, so that a flood on one does not delay what matters on another:

- ``data`` carries what is published and subscribed to, market data and heartbeats, in the order of publishing;
- ``control`` carries requests, appends to journals and buckets: money. Nothing on it is ever kept for later;
- ``journal`` carries what journal readers read, which at a start is the whole history.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Final, Self, final

from tradebus.bus.errors import BusClosed, ConnectFailed
from tradebus.bus.events import EventHub, Listener
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
from tradebus.bus.matching import checked_pattern
from tradebus.bus.message import (
    Headers,
    JournalHandler,
    JournalMessage,
    JournalState,
    Message,
    MessageHandler,
    RequestHandler,
)
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_bucket import NatsBucket, NatsWatch
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.nats_reader import NatsReader, open_reader
from tradebus.bus.nats_subscription import NatsSubscription, taking_messages, taking_requests
from tradebus.bus.nats_wire import writer_headers
from tradebus.bus.permissions import Permissions
from tradebus.bus.self_check import check_permissions

DATA: Final = "data"
CONTROL: Final = "control"
JOURNAL: Final = "journal"

CONNECT_TIMEOUT_S: Final = 10.0


@final
class NatsBus(Bus):
    """A bus over NATS; make it with ``NatsBus.connect``."""

    def __init__(self, options: NatsOptions, events: EventHub) -> None:
        self._options: Final = options
        self._events: Final = events
        self._data: Final = NatsLink(DATA, options, events)
        self._control: Final = NatsLink(CONTROL, options, events, self._control_is_back)
        self._journal: Final = NatsLink(JOURNAL, options, events, self._journal_is_back)
        self._api: Final = JetStreamApi(self._control)
        self._subscriptions: list[NatsSubscription] = []
        self._readers: list[NatsReader] = []
        self._watches: list[NatsWatch] = []
        self._closing = False

    @classmethod
    async def connect(
        cls, options: NatsOptions, *, listener: Listener | None = None, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> Self:
        """Return a connected bus, trying until ``timeout_s`` is over; afterwards it reconnects for ever.

        Raises ConnectFailed, which names the servers and what they, or the network, said.
        """
        events = EventHub()
        if listener is not None:
            events.add(listener)
        bus = cls(options, events)
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            for link in bus._links:
                await link.open(max(deadline - asyncio.get_running_loop().time(), 0.1))
        except BaseException:
            await bus.close(0.5)
            raise
        if not bus._control.server_info.get("jetstream"):
            await bus.close(0.5)
            raise ConnectFailed(options.servers, timeout_s, "expected JetStream to be enabled, found it is not")
        return bus

    @property
    def _links(self) -> tuple[NatsLink, NatsLink, NatsLink]:
        return self._data, self._control, self._journal

    # ------------------------------------------------------------------------------ state

    def add_listener(self, listener: Listener) -> None:
        """Report what happens to the bus itself to ``listener`` from now on."""
        self._events.add(listener)

    @property
    def is_connected(self) -> bool:
        """Whether every connection stands at this moment."""
        return not self._closing and all(link.is_connected for link in self._links)

    @property
    def message_bytes_max(self) -> int:
        """Return how many bytes payload and headers of one message may have."""
        return self._control.bytes_max

    @property
    def knows_users(self) -> bool:
        """Tell whether the server lets nobody in who does not show that he is one of its users."""
        return bool(self._control.server_info.get("auth_required"))

    async def check_permissions(self, user: str, needed: Permissions) -> None:
        """Return if the server lets us do all that is needed. Raises MissingPermissions, BusUnavailable."""
        await check_permissions(self._control, user, needed)

    # ------------------------------------------------------------------------------ messages

    def publish(self, subject: str, payload: bytes, headers: Headers | None = None) -> bool:
        """Hand a message over for sending, without waiting."""
        return self._data.send(subject, payload, headers)

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, pending_messages_max: int = PENDING_MESSAGES_MAX
    ) -> Subscription:
        """Call ``handler`` with each message published on ``subject``."""
        subscription = NatsSubscription(
            self._data, checked_pattern(subject), taking_messages(handler), self._events, self._forget
        )
        return await self._begin(subscription, pending_messages_max)

    async def flush(self, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Return when the server has everything published so far."""
        self._must_be_open("flush")
        await self._data.flush(timeout_s)

    # ------------------------------------------------------------------------------ requests

    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: Headers | None = None
    ) -> Message:
        """Send a request and return the first answer."""
        self._must_be_open(subject)
        answer = await self._control.request(subject, payload, timeout_s, headers)
        return Message(answer.subject, answer.data, answer.headers)

    async def respond(self, subject: str, handler: RequestHandler) -> Subscription:
        """Call ``handler`` with each request on ``subject``."""
        subscription = NatsSubscription(
            self._control,
            checked_pattern(subject),
            taking_requests(self._control, handler),
            self._events,
            self._forget,
        )
        return await self._begin(subscription, PENDING_MESSAGES_MAX)

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
        self._must_be_open(subject)
        return await self._api.append(subject, payload, headers, timeout_s, expected_last_sequence)

    async def journal_state(self, stream: str) -> JournalState:
        """Return what a stream holds."""
        self._must_be_open(stream)
        return await self._api.stream_state(stream)

    async def last_message(self, stream: str) -> JournalMessage | None:
        """Return a stream's last message."""
        return await self._stored(stream, {"last_by_subj": ">"})

    async def message(self, stream: str, sequence: int) -> JournalMessage | None:
        """Return one message of a stream."""
        return await self._stored(stream, {"seq": sequence})

    async def consume(self, stream: str, start_sequence: int, handler: JournalHandler) -> JournalReader:
        """Read a stream from ``start_sequence`` on."""
        self._must_be_open(stream)
        reader = await open_reader(self._journal, stream, start_sequence, handler, self._events)
        self._readers = [known for known in self._readers if not known.is_over]
        self._readers.append(reader)
        return reader

    # ------------------------------------------------------------------------------ buckets and the end

    def bucket(self, name: str) -> Bucket:
        """Return a bucket by name."""
        self._must_be_open(name)
        return NatsBucket(self._control, name, self._events, self._watches.append)

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Stop readers, then subscriptions after what waits has been handled, send what is buffered, disconnect."""
        if self._closing:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        readers, watches, subscriptions = self._readers, self._watches, tuple(self._subscriptions)
        await _all_of([reader.stop() for reader in readers], deadline)
        await _all_of([*(watch.unsubscribe() for watch in watches), *(s.drain() for s in subscriptions)], deadline)
        self._closing = True
        for link in self._links:
            await link.close(max(deadline - loop.time(), 0.0))

    # ------------------------------------------------------------------------------ inside

    async def _begin(self, subscription: NatsSubscription, pending_max: int) -> Subscription:
        self._must_be_open(subscription.subject)
        await subscription.begin(pending_max)
        self._subscriptions.append(subscription)
        return subscription

    async def _stored(self, stream: str, which: dict[str, object]) -> JournalMessage | None:
        self._must_be_open(stream)
        message = await self._api.message(stream, which)
        if message is not None:
            message.headers = writer_headers(message.headers)
        return message

    def _must_be_open(self, what: str) -> None:
        if self._closing:
            raise BusClosed(what)

    def _forget(self, subscription: NatsSubscription) -> None:
        self._subscriptions = [known for known in self._subscriptions if known is not subscription]

    def _control_is_back(self) -> None:
        for watch in self._watches:
            watch.reconnected()

    def _journal_is_back(self) -> None:
        for reader in self._readers:
            reader.reconnected()


async def _all_of(endings: list[Awaitable[None]], deadline: float) -> None:
    """Await all of them until ``deadline`` (loop time); what is late, or raises, is left behind."""
    if not endings:
        return
    tasks = [asyncio.ensure_future(ending) for ending in endings]
    left_s = max(deadline - asyncio.get_running_loop().time(), 0.0)
    _, late = await asyncio.wait(tasks, timeout=left_s)
    for task in late:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
