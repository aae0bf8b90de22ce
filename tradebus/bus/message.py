"""What travels on the bus: messages, requests, stored messages, entries of a bucket.

They carry bytes and headers and know nothing of what is inside.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Headers: TypeAlias = Mapping[str, str]


@dataclass(slots=True, eq=False)
class Message:
    """A message as it arrived; treat it as read-only.

    (Not frozen: a frozen one takes several times as long to make, and one is made per delivery.)
    """

    subject: str
    payload: bytes
    headers: Headers | None


@dataclass(slots=True, eq=False)
class JournalMessage:
    """A message as a stream keeps it; treat it as read-only.

    ``sequence`` counts from 1 without holes. ``time_ns`` is the server's clock at storing, for people only:
    nothing that is decided may depend on it. ``pending`` is how many later messages were waiting when a reader got this
    one, 0 when it was the newest; it is 0 for a message asked for by itself.
    """

    stream: str
    subject: str
    sequence: int
    payload: bytes
    headers: Headers | None
    time_ns: int
    pending: int


@dataclass(frozen=True, slots=True)
class JournalState:
    """What a stream holds. An empty stream that never held anything has ``last_sequence`` 0.

    ``first_sequence`` is the oldest message still there; with nothing left it is ``last_sequence + 1``.
    ``bytes_used`` and ``bytes_max`` include the broker's own bytes per message; ``bytes_max`` is 0 for "no limit".
    """

    stream: str
    first_sequence: int
    last_sequence: int
    messages: int
    bytes_used: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's newest value in a bucket; ``value`` is None when it was deleted or has expired.

    ``revision`` grows with every change in the bucket and is what ``Bucket.update`` compares.
    """

    bucket: str
    key: str
    value: bytes | None
    revision: int


class Request(ABC):
    """A message whose sender waits for an answer.

    It may be answered later than the handler returns (after a journal entry, say), or never: whoever is not
    the owner of an account stays silent.
    """

    __slots__ = ("headers", "payload", "subject")

    def __init__(self, subject: str, payload: bytes, headers: Headers | None) -> None:
        self.subject = subject
        self.payload = payload
        self.headers = headers

    @abstractmethod
    def reply(self, payload: bytes, headers: Headers | None = None) -> bool:
        """Answer the sender; False when the answer could not be handed over. Only the first answer counts.

        Raises PayloadTooLarge.
        """


MessageHandler: TypeAlias = Callable[[Message], Awaitable[None] | None]
JournalHandler: TypeAlias = Callable[[JournalMessage], Awaitable[None] | None]
RequestHandler: TypeAlias = Callable[[Request], Awaitable[None] | None]
EntryHandler: TypeAlias = Callable[[Entry], Awaitable[None] | None]
