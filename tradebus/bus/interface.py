"""The bus as the rest of the system sees it.

One interface, two implementations that pass one contract suite: ``tradebus.bus.memory`` (one process, deterministic,
for tests and library use) and ``tradebus.bus.nats_bus``.

All of it belongs to one asyncio event loop and is called from that loop only. Handlers are callbacks, plain or
``async``; an ``async`` one is awaited before the next message of the same subscription. There are no iterators: with
the NATS client they cost three to four times as much per message.
"""

from abc import ABC, abstractmethod
from typing import Final

from tradebus.bus.errors import BusError
from tradebus.bus.events import Listener
from tradebus.bus.message import (
    Entry,
    EntryHandler,
    Headers,
    JournalHandler,
    JournalMessage,
    JournalState,
    Message,
    MessageHandler,
    RequestHandler,
)

PENDING_MESSAGES_MAX: Final = 4096
"""How many messages a subscription keeps for a handler that is behind, unless told otherwise."""

APPEND_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 5.0


class Subscription(ABC):
    """Interest in a subject, or in a bucket's keys, until ``unsubscribe`` or the bus is closed."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """Return what was subscribed to."""

    @property
    @abstractmethod
    def pending(self) -> int:
        """Return how many messages wait for the handler."""

    @property
    @abstractmethod
    def dropped(self) -> int:
        """Return how many messages were dropped because the handler was behind."""

    @abstractmethod
    async def unsubscribe(self) -> None:
        """Stop: the handler is not called again, what still waited for it is discarded.

        Safe to repeat, never raises.
        """


class JournalReader(ABC):
    """Reads one stream in order, every sequence exactly once, across reconnections and server restarts.

    It stops for good, with a ReaderFailed event, when the handler raises (HandlerRaised), when what it needs
    was pruned (JournalPruned) or the stream went backwards (JournalRewound).
    """

    @property
    @abstractmethod
    def stream(self) -> str:
        """Return the name of the stream."""

    @property
    @abstractmethod
    def next_sequence(self) -> int:
        """Return the sequence that the handler gets next; everything before has been handed to it."""

    @property
    @abstractmethod
    def end_sequence(self) -> int:
        """Return the stream's last sequence at the time reading began: where "what was there" ends."""

    @property
    @abstractmethod
    def is_caught_up(self) -> bool:
        """Whether the handler has returned for everything up to ``end_sequence``."""

    @property
    @abstractmethod
    def failure(self) -> BusError | None:
        """Return why the reader stopped for good, or None while it lives."""

    @abstractmethod
    async def wait_caught_up(self) -> None:
        """Return when ``is_caught_up``; raise ``failure`` if the reader fails before, BusClosed if it is stopped."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop reading; a handler that is running is awaited first, unless it is the caller. Never raises."""


class Bucket(ABC):
    """A key-value bucket. Keys hold letters, digits and any of ``-_=./``; revisions grow across the whole bucket.

    All but ``watch`` raise NotSent or UnknownOutcome when the broker cannot be asked, NoBucket when there is none.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the bucket's name."""

    @abstractmethod
    async def get(self, key: str) -> Entry | None:
        """Return the newest value, or None when there is none, it was deleted, or it has expired."""

    @abstractmethod
    async def put(self, key: str, value: bytes) -> int:
        """Set a value whatever was there, and return its revision."""

    @abstractmethod
    async def update(self, key: str, value: bytes, expected_revision: int) -> int:
        """Set a value if the key's revision is the expected one, and return the new revision.

        ``expected_revision`` 0 means: only if the key has no value (never had, deleted, expired).
        Raises WrongRevision when somebody else was first.
        """

    @abstractmethod
    async def delete(self, key: str, expected_revision: int | None = None) -> None:
        """Delete a key, with ``expected_revision`` only if that is its revision. Raises WrongRevision."""

    @abstractmethod
    async def watch(self, handler: EntryHandler, keys: str = ">") -> Subscription:
        """Hand over the present values, then every change, in order of revision; ``keys`` may hold wildcards.

        Returns when the present values have been handed over. A value overwritten meanwhile may be skipped, the
        newest never is.
        """


class Bus(ABC):
    """Messages, requests, journals and buckets, with the state of the connections reported to listeners."""

    # ------------------------------------------------------------------------------ state

    @abstractmethod
    def add_listener(self, listener: Listener) -> None:
        """Report what happens to the bus itself (``tradebus.bus.events``) to ``listener`` from now on."""

    @property
    @abstractmethod
    def is_connected(self) -> bool:
        """Whether every connection stands at this moment."""

    @property
    @abstractmethod
    def message_bytes_max(self) -> int:
        """Return how many bytes payload and headers of one message may have: 90 % of what the server takes."""

    # ------------------------------------------------------------------------------ messages

    @abstractmethod
    def publish(self, subject: str, payload: bytes, headers: Headers | None = None) -> bool:
        """Hand a message over for sending, without waiting; who is not listening now never gets it.

        True says it is on its way, no more. False says it was dropped, because the connection is down or its outbound
        buffer is full: counted, reported as OutboundDropped, never kept for later (what arrives after an outage would
        be stale). Messages of one bus arrive in the order they were published.

        Raises PayloadTooLarge, InvalidSubject or InvalidHeader.
        """

    @abstractmethod
    async def subscribe(
        self, subject: str, handler: MessageHandler, *, pending_messages_max: int = PENDING_MESSAGES_MAX
    ) -> Subscription:
        """Call ``handler`` with each message published on ``subject``, which may hold ``*`` and a final ``>``.

        On return the server knows of it. A handler that is ``pending_messages_max`` behind loses the newest messages:
        reported as SlowConsumer, never raised, and possibly without a visible gap, so publishers number their
        messages. A handler that raises is reported as HandlerFailed and called with the next one.

        Raises PermissionDenied or InvalidSubject; BusClosed. While disconnected it is remembered and made on
        reconnection.
        """

    @abstractmethod
    async def flush(self, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Return when the server has everything published so far. Raises NotSent or UnknownOutcome."""

    # ------------------------------------------------------------------------------ requests

    @abstractmethod
    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: Headers | None = None
    ) -> Message:
        """Send a request and return the first answer.

        It travels on the connection for money, which keeps nothing for later: a request that fails is never delivered
        after a reconnection by us. (Bytes that the kernel already took may still reach a server that was frozen; a
        request must therefore carry its own time to live.)

        Raises NotSent (not connected, nobody listens, not permitted), UnknownOutcome (no answer in time, connection
        lost while waiting), PayloadTooLarge.
        """

    @abstractmethod
    async def respond(self, subject: str, handler: RequestHandler) -> Subscription:
        """Call ``handler`` with each request on ``subject``; answer with ``Request.reply``, then, later or never.

        Everything else as for ``subscribe``. All who respond on a subject get every request.
        """

    # ------------------------------------------------------------------------------ journals

    @abstractmethod
    async def append(
        self,
        subject: str,
        payload: bytes,
        *,
        expected_last_sequence: int | None = None,
        headers: Headers | None = None,
        timeout_s: float = APPEND_TIMEOUT_S,
    ) -> int:
        """Append to the stream that keeps ``subject`` and return the message's sequence once it is on disk.

        ``expected_last_sequence`` fences: the append is refused unless the stream ends there (0: it never held
        anything). A writer of a journal always gives it and keeps **one append in flight**: a pipeline fenced by
        sequence alone writes on after a refusal. Leave it out only where several may write, as for commands.

        Raises WrongLastSequence, JournalFull or another Refused (nothing stored); NoJournal; NotSent (nothing stored);
        AppendUncertain (timeout, connection lost: stored or not, ``last_message`` tells); PayloadTooLarge.
        """

    @abstractmethod
    async def journal_state(self, stream: str) -> JournalState:
        """Return what a stream holds. Raises NoJournal, BusUnavailable."""

    @abstractmethod
    async def last_message(self, stream: str) -> JournalMessage | None:
        """Return a stream's last message, None when there is none. Raises NoJournal, BusUnavailable."""

    @abstractmethod
    async def message(self, stream: str, sequence: int) -> JournalMessage | None:
        """Return one message of a stream, None when it is not there (any more, or yet).

        Raises NoJournal, BusUnavailable.
        """

    @abstractmethod
    async def consume(self, stream: str, start_sequence: int, handler: JournalHandler) -> JournalReader:
        """Read a stream from ``start_sequence`` on, in order and without a gap.

        1 is the first message ever; last + 1 waits for what comes.

        The handler is called once per message; a slow one slows the sender down, nothing is dropped.
        What it raises ends the reader. Position is not kept by the broker: the caller knows how far it has got.

        Raises JournalPruned, JournalRewound, NoJournal, BusUnavailable.
        """

    # ------------------------------------------------------------------------------ buckets

    @abstractmethod
    def bucket(self, name: str) -> Bucket:
        """Return a bucket by name; whether it exists shows at its first use (NoBucket)."""

    # ------------------------------------------------------------------------------ end

    @abstractmethod
    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Stop in order: readers, subscriptions, what is still to be sent, connections.

        What waits for a subscription's handler is still handled. Bounded by ``timeout_s``, safe to repeat and during
        an outage, never raises.
        Requests and appends that still wait end with UnknownOutcome or AppendUncertain.
        """
