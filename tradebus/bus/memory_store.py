"""Streams and buckets in memory, with the rules of the ones on the server."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.errors import JournalFull, WrongLastSequence, WrongRevision
from tradebus.bus.header_block import header_bytes
from tradebus.bus.matching import subject_matches
from tradebus.bus.message import Entry, Headers, JournalMessage, JournalState
from tradebus.bus.topology import BucketSpec, StreamSpec

WRONG_LAST_SEQUENCE: Final = (400, 10071)
STREAM_FULL: Final = (503, 10077)

EXPIRY_WAIT_S_MIN: Final = 0.001
_RECORD_BYTES: Final = 30


@final
class MemoryStream:
    """One stream: messages numbered from 1, appended at the end, dropped only from the front."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec: Final = spec
        self._messages: deque[JournalMessage] = deque()
        self._bytes = 0
        self._last_sequence = 0
        self._readers: list[Callable[[], None]] = []

    @property
    def last_sequence(self) -> int:
        """Return the sequence of the newest message ever appended."""
        return self._last_sequence

    @property
    def first_sequence(self) -> int:
        """Return the sequence of the oldest message kept; last + 1 when there is none."""
        return self._last_sequence - len(self._messages) + 1

    def keeps(self, subject: str) -> bool:
        """Whether messages on ``subject`` belong to this stream."""
        return any(subject_matches(pattern, subject) for pattern in self.spec.subjects)

    def append(self, subject: str, payload: bytes, headers: Headers | None, expected_last_sequence: int | None) -> int:
        """Append and return the sequence. Raises WrongLastSequence or JournalFull, and then changes nothing."""
        if expected_last_sequence is not None and expected_last_sequence != self._last_sequence:
            raise WrongLastSequence(
                subject,
                *WRONG_LAST_SEQUENCE,
                f"wrong last sequence: {self._last_sequence}",
                expected=expected_last_sequence,
            )
        size = _record_bytes(subject, payload, headers)
        while self.spec.drop_oldest and self._messages and self._bytes + size > self.spec.bytes_max:
            self._drop_first()
        if self._bytes + size > self.spec.bytes_max:
            raise JournalFull(subject, *STREAM_FULL, "maximum bytes exceeded")
        self._last_sequence += 1
        copied = None if headers is None else dict(headers)
        message = JournalMessage(
            self.spec.name, subject, self._last_sequence, payload, copied, time_ns=time.time_ns(), pending=0
        )
        self._messages.append(message)
        self._bytes += size
        for notify in tuple(self._readers):
            notify()
        return self._last_sequence

    def message(self, sequence: int) -> JournalMessage | None:
        """Return a message, or None when it is not there."""
        index = sequence - self.first_sequence
        return self._messages[index] if 0 <= index < len(self._messages) else None

    def delivery(self, sequence: int) -> JournalMessage | None:
        """Return a message as a reader gets it, with what waits behind it, or None when it is not there."""
        kept = self.message(sequence)
        if kept is None:
            return None
        return JournalMessage(
            kept.stream,
            kept.subject,
            kept.sequence,
            kept.payload,
            kept.headers,
            kept.time_ns,
            pending=self._last_sequence - sequence,
        )

    def state(self) -> JournalState:
        """Return what the stream holds."""
        return JournalState(
            self.spec.name,
            self.first_sequence,
            self._last_sequence,
            len(self._messages),
            self._bytes,
            self.spec.bytes_max,
        )

    def prune(self, first_kept: int) -> None:
        """Drop everything before ``first_kept``, as the pruner does."""
        while self._messages and self._messages[0].sequence < first_kept:
            self._drop_first()

    def rewind(self, last_sequence: int) -> None:
        """Lose everything after ``last_sequence``, as damaged storage does."""
        while self._messages and self._messages[-1].sequence > last_sequence:
            lost = self._messages.pop()
            self._bytes -= _record_bytes(lost.subject, lost.payload, lost.headers)
        self._last_sequence = min(self._last_sequence, last_sequence)

    def attach(self, notify: Callable[[], None]) -> None:
        """Call ``notify`` after each append."""
        self._readers.append(notify)

    def detach(self, notify: Callable[[], None]) -> None:
        """Call ``notify`` no more."""
        self._readers = [reader for reader in self._readers if reader != notify]

    def _drop_first(self) -> None:
        dropped = self._messages.popleft()
        self._bytes -= _record_bytes(dropped.subject, dropped.payload, dropped.headers)


@final
class StoredBucket:
    """One bucket: the newest value per key, revisions across all keys, values that expire."""

    def __init__(self, spec: BucketSpec, clock: Callable[[], float]) -> None:
        self.spec: Final = spec
        self._clock: Final = clock
        self._revision = 0
        self._entries: dict[str, tuple[Entry, float]] = {}
        self._watchers: list[Callable[[Entry], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def get(self, key: str) -> Entry | None:
        """Return the key's entry unless it was deleted or has expired."""
        self.expire()
        kept = self._entries.get(key)
        return None if kept is None or kept[0].value is None else kept[0]

    def entries(self) -> list[Entry]:
        """Return all present values in order of revision."""
        self.expire()
        present = [entry for entry, _ in self._entries.values() if entry.value is not None]
        return sorted(present, key=lambda entry: entry.revision)

    def set(self, key: str, value: bytes | None, expected_revision: int | None) -> int:
        """Set or, with None, delete a value and return the revision. Raises WrongRevision."""
        present = self.get(key)
        revision = 0 if present is None else present.revision
        if expected_revision is not None and expected_revision != revision:
            raise WrongRevision(self.spec.name, key, expected_revision)
        return self._store(key, value)

    def expire(self) -> None:
        """Turn every value whose time is over into a deletion that watchers see."""
        if self.spec.ttl_s is None:
            return
        now = self._clock()
        for key, (entry, stored_at) in tuple(self._entries.items()):
            if entry.value is not None and now - stored_at >= self.spec.ttl_s:
                self._store(key, None)

    def attach(self, notify: Callable[[Entry], None]) -> None:
        """Call ``notify`` with each change."""
        self._watchers.append(notify)

    def detach(self, notify: Callable[[Entry], None]) -> None:
        """Call ``notify`` no more."""
        self._watchers = [watcher for watcher in self._watchers if watcher != notify]

    def _on_time(self) -> None:
        """Expire what is due: watchers learn of it when it happens, not when somebody asks next."""
        self._timer = None
        self.expire()
        left = [stored_at for entry, stored_at in self._entries.values() if entry.value is not None]
        if left and self.spec.ttl_s is not None:
            wait_s = max(min(left) + self.spec.ttl_s - self._clock(), EXPIRY_WAIT_S_MIN)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_time)

    def _store(self, key: str, value: bytes | None) -> int:
        self._revision += 1
        entry = Entry(self.spec.name, key, value, self._revision)
        self._entries[key] = (entry, self._clock())
        if value is not None and self.spec.ttl_s is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.spec.ttl_s, self._on_time)
        for notify in tuple(self._watchers):
            notify(entry)
        return self._revision


def _record_bytes(subject: str, payload: bytes, headers: Headers | None) -> int:
    """Return what the server's file store counts for one message."""
    framing = 4 if headers else 0
    return _RECORD_BYTES + len(subject) + len(payload) + framing + header_bytes(headers)
