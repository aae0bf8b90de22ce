"""What can go wrong on the bus, one class per cause.

Three questions matter to a caller, and the classes answer them:

- *Did it happen?* ``NotSent``: certainly not. ``UnknownOutcome``: perhaps; ask before doing it again.
  ``Refused``: the broker said no, and nothing changed.
- *Can it be tried again?* ``recoverable`` on the class.
- *Whose fault?* ``MessageError`` is ours.
"""

from typing import ClassVar, Final


class BusError(Exception):
    """Anything the bus raises."""

    recoverable: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody changing anything."""


class BusClosed(BusError):
    """The bus was closed, by us or for good by the broker."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the bus is closed")


class ConnectFailed(BusError):
    """No connection could be made within the time allowed."""

    recoverable = True

    def __init__(self, servers: tuple[str, ...], waited_s: float, reason: str) -> None:
        super().__init__(f"no NATS server reached at {', '.join(servers)} within {waited_s:g} s: {reason}")
        self.servers: Final = servers
        self.waited_s: Final = waited_s
        self.reason: Final = reason


class MessageError(BusError):
    """A message that cannot be sent as it is: our mistake."""


class PayloadTooLarge(MessageError):
    """Payload and headers together exceed what is allowed on this connection. Sizes in bytes.

    The limit is 90 % of the server's: a message above the server's own limit makes it close the connection for good,
    and the client library leaves the headers out when it checks.
    """

    def __init__(self, subject: str, size: int, size_max: int) -> None:
        super().__init__(f"{subject}: expected at most {size_max} bytes of payload and headers, found {size}")
        self.subject: Final = subject
        self.size: Final = size
        self.size_max: Final = size_max


class InvalidSubject(MessageError):
    """A subject that would break the protocol: empty, or with white space in it, or a wildcard out of place."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"expected a subject of dot-separated tokens without white space, found {subject!r}")
        self.subject: Final = subject


class InvalidHeader(MessageError):
    """A header name or value that would break the protocol."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"expected a plain header name and a value on one line, found {name!r}: {value!r}")
        self.name: Final = name
        self.value: Final = value


class BusUnavailable(BusError):
    """The broker could not be asked. Reads raise either kind and can simply be repeated."""

    recoverable = True

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(f"{subject}: {reason}")
        self.subject: Final = subject
        self.reason: Final = reason


class NotSent(BusUnavailable):
    """Nobody got it, and nobody will: it is not kept for later."""


class NoResponders(NotSent):
    """Nobody listens on the subject of a request."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject, "nobody listens")


class PermissionDenied(NotSent):
    """The server refused this subject to our user; repeating it gives the same."""

    recoverable = False

    def __init__(self, subject: str, operation: str) -> None:
        super().__init__(subject, f"not permitted: {operation}")
        self.operation: Final = operation


class UnknownOutcome(BusUnavailable):
    """It may have arrived or not: no answer in time, or the connection was lost while waiting.

    Never a rejection. For an order request, ask; for an append see AppendUncertain.
    """


class AppendUncertain(UnknownOutcome):
    """The append may be stored or not, or be stored a little later. ``Bus.last_message`` tells, once connected."""


class Refused(BusError):
    """The broker refused, and nothing was changed. ``code`` and ``error_code`` are JetStream's."""

    def __init__(self, subject: str, code: int, error_code: int, description: str) -> None:
        super().__init__(f"{subject}: refused with {code}/{error_code}: {description}")
        self.subject: Final = subject
        self.code: Final = code
        self.error_code: Final = error_code
        self.description: Final = description


class WrongLastSequence(Refused):
    """The stream does not end where the writer believes (error 10071).

    Either another writer was here, or an earlier append of ours, given up as uncertain, has landed: compare the last
    message. ``expected`` is what we said; ``found`` the stream's last sequence, None where the server did not say it.
    """

    def __init__(self, subject: str, code: int, error_code: int, description: str, *, expected: int) -> None:
        super().__init__(subject, code, error_code, description)
        self.expected: Final = expected
        last_word = description.rsplit(" ", 1)[-1]
        self.found: Final = int(last_word) if last_word.isdecimal() else None


class JournalFull(Refused):
    """The stream has reached its ``max_bytes`` (10077), or the server its storage limit (10023, 10047)."""

    recoverable = True


class NoJournal(BusError):
    """There is no such stream, or none keeps this subject. Provisioning makes them."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: no such stream, or none that keeps this subject (has provisioning run?)")
        self.name: Final = name


class NoBucket(NoJournal):
    """There is no such bucket."""


class WrongRevision(BusError):
    """A key's revision is not the expected one: somebody else changed it. 0 means "no value"."""

    def __init__(self, bucket: str, key: str, expected: int) -> None:
        super().__init__(f"{bucket}/{key}: expected revision {expected}, found another")
        self.bucket: Final = bucket
        self.key: Final = key
        self.expected: Final = expected


class InvalidKey(MessageError):
    """A key that a bucket cannot hold."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"{bucket}: expected a key of letters, digits and any of '-_=./', found {key!r}")
        self.bucket: Final = bucket
        self.key: Final = key


class UnreadableValue(BusError):
    """The server counts a value of a bucket that it cannot read: its files are damaged."""

    def __init__(self, bucket: str, keys: str) -> None:
        super().__init__(f"{bucket}/{keys}: expected as many values as the server counts, found one that does not come")


class ReadingError(BusError):
    """A journal cannot be read on from where the reader stands; the reader has stopped."""


class JournalPruned(ReadingError):
    """What the reader needs next has been dropped from the stream: look in the archive."""

    def __init__(self, stream: str, wanted: int, first: int) -> None:
        super().__init__(f"{stream}: expected to read sequence {wanted}, but the oldest kept is {first}")
        self.stream: Final = stream
        self.wanted: Final = wanted
        self.first: Final = first


class JournalRewound(ReadingError):
    """The stream ends before what the reader has already read: storage was lost or the stream made anew. Stop."""

    def __init__(self, stream: str, wanted: int, last: int) -> None:
        super().__init__(f"{stream}: expected at least sequence {wanted - 1}, but the stream ends at {last}")
        self.stream: Final = stream
        self.wanted: Final = wanted
        self.last: Final = last


class JournalHole(ReadingError):
    """The stream counts messages that it cannot give: its files are damaged. What is behind them is not read."""

    def __init__(self, stream: str, wanted: int, last: int) -> None:
        super().__init__(
            f"{stream}: expected to read sequence {wanted}, but there is no such message although the stream ends at "
            f"{last}: it is damaged"
        )
        self.stream: Final = stream
        self.wanted: Final = wanted
        self.last: Final = last


class HandlerRaised(ReadingError):
    """The handler of a journal reader raised; nothing may be skipped, so reading stopped there."""

    def __init__(self, stream: str, sequence: int, error: Exception) -> None:
        super().__init__(f"{stream}: the handler raised at sequence {sequence}: {error!r}")
        self.stream: Final = stream
        self.sequence: Final = sequence
        self.error: Final = error
