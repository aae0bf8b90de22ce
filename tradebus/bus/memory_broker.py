"""The broker behind memory buses: one object stands for the server, each bus for one client of it.

It also plays the faults that the contract speaks of: outages, lost acknowledgements, refused subjects, pruned and
damaged streams. Deterministic: no threads, no sockets, and the same calls give the same deliveries in the same order.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Final, final

from tradebus.bus.errors import JournalFull, NoBucket, NoJournal
from tradebus.bus.matching import subject_matches
from tradebus.bus.memory_store import MemoryStream, StoredBucket
from tradebus.bus.message import Headers, Message
from tradebus.bus.topology import Topology

MESSAGE_BYTES_MAX: Final = 943_718
"""90 % of NATS's default of 1 MiB."""


class Receiver(ABC):
    """One subscription of one client."""

    pattern: str

    @abstractmethod
    def deliver(self, message: Message, answer: Callable[[Message], None] | None) -> None:
        """Queue a message for the handler; ``answer`` is there when its sender waits for one."""


class Client(ABC):
    """What the broker needs of a bus connected to it."""

    @property
    @abstractmethod
    def receivers(self) -> Iterable[Receiver]:
        """Return the subscriptions that take part now: none while disconnected."""

    @abstractmethod
    def lose_connection(self) -> None:
        """Play the client's part of a lost connection."""

    @abstractmethod
    def regain_connection(self) -> None:
        """Play the client's part of a reconnection."""


@final
class MemoryBroker:
    """Streams, buckets and the clients connected to them.

    ``clock`` gives seconds and decides only when a bucket's values expire.
    """

    def __init__(
        self, *, message_bytes_max: int = MESSAGE_BYTES_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.message_bytes_max: Final = message_bytes_max
        self._clock: Final = clock
        self._streams: dict[str, MemoryStream] = {}
        self._buckets: dict[str, StoredBucket] = {}
        self._clients: list[Client] = []
        self._is_up = True
        self._denied: set[str] = set()
        self._lost_acks: dict[str, int] = {}
        self._lost_appends: dict[str, int] = {}

    def provision(self, topology: Topology) -> None:
        """Make the streams and buckets that are not there yet."""
        for stream in topology.streams:
            self._streams.setdefault(stream.name, MemoryStream(stream))
        for bucket in topology.buckets:
            self._buckets.setdefault(bucket.name, StoredBucket(bucket, self._clock))

    # ------------------------------------------------------------------------------ faults

    def start_outage(self) -> None:
        """Disconnect every client; one that comes during the outage begins disconnected."""
        self._is_up = False
        for client in tuple(self._clients):
            client.lose_connection()

    def end_outage(self) -> None:
        """Let every client reconnect."""
        self._is_up = True
        for client in tuple(self._clients):
            client.regain_connection()

    def lose_next_ack(self, subject: str) -> None:
        """Store the next append on ``subject`` but lose its acknowledgement."""
        self._lost_acks[subject] = self._lost_acks.get(subject, 0) + 1

    def lose_next_append(self, subject: str) -> None:
        """Lose the next append on ``subject`` on its way."""
        self._lost_appends[subject] = self._lost_appends.get(subject, 0) + 1

    def deny(self, pattern: str) -> None:
        """Refuse what matches ``pattern`` to everybody, publishing and subscribing."""
        self._denied.add(pattern)

    def prune(self, stream: str, first_kept: int) -> None:
        """Drop everything before ``first_kept`` from a stream, as the pruner does."""
        self.stream(stream).prune(first_kept)

    def rewind(self, stream: str, last_sequence: int) -> None:
        """Lose everything after ``last_sequence``, as damaged storage does."""
        self.stream(stream).rewind(last_sequence)

    # ------------------------------------------------------------------------------ for the clients

    @property
    def is_up(self) -> bool:
        """Whether clients can reach the broker."""
        return self._is_up

    def attach(self, client: Client) -> None:
        """Take a client in."""
        self._clients.append(client)

    def detach(self, client: Client) -> None:
        """Forget a client that was closed."""
        self._clients = [known for known in self._clients if known is not client]

    def is_denied(self, subject: str) -> bool:
        """Whether ``deny`` covers a subject."""
        return any(subject_matches(pattern, subject) for pattern in self._denied)

    def stream(self, name: str) -> MemoryStream:
        """Return a stream by name. Raises NoJournal."""
        stream = self._streams.get(name)
        if stream is None:
            raise NoJournal(name)
        return stream

    def bucket(self, name: str) -> StoredBucket:
        """Return a bucket by name. Raises NoBucket."""
        bucket = self._buckets.get(name)
        if bucket is None:
            raise NoBucket(name)
        return bucket

    def append(
        self, subject: str, payload: bytes, headers: Headers | None, expected_last_sequence: int | None
    ) -> int | None:
        """Store a message; None when a fault lost it or its acknowledgement. Raises NoJournal or Refused."""
        stream = self._stream_for(subject)
        if stream is None:
            raise NoJournal(subject)
        if _take(self._lost_appends, subject):
            return None
        sequence = stream.append(subject, payload, headers, expected_last_sequence)
        self._route(Message(subject, payload, headers), None)
        return None if _take(self._lost_acks, subject) else sequence

    def publish(self, message: Message, answer: Callable[[Message], None] | None = None) -> int:
        """Deliver a message to who listens now and return how many do."""
        stream = self._stream_for(message.subject)
        if stream is not None:
            # As on the server: what is published on a journal's subject is stored, and without an acknowledgement
            # nobody learns when it is not. That is why journals are appended to.
            try:
                stream.append(message.subject, message.payload, message.headers, None)
            except JournalFull:
                return 0
        return self._route(message, answer)

    def _route(self, message: Message, answer: Callable[[Message], None] | None) -> int:
        interested = [
            receiver
            for client in self._clients
            for receiver in client.receivers
            if subject_matches(receiver.pattern, message.subject)
        ]
        for receiver in interested:
            receiver.deliver(message, answer)
        return len(interested)

    def _stream_for(self, subject: str) -> MemoryStream | None:
        return next((stream for stream in self._streams.values() if stream.keeps(subject)), None)


def _take(counts: dict[str, int], subject: str) -> bool:
    left = counts.get(subject, 0)
    if left:
        counts[subject] = left - 1
    return left > 0
