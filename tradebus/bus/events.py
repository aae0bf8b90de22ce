"""What the bus reports about itself, and the one way it does.

Every report is a typed event given to the listeners of a bus, synchronously, in order. Nothing of this kind is ever
raised from the bus's own tasks: an error callback that raises kills the client library's read loop, which then looks
connected and receives nothing. A listener that raises is logged and does no harm.
"""

import logging
from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias, final

from tradebus.bus.errors import BusError

REPORT_PERIOD_S: Final = 1.0
"""What can happen thousands of times a second is reported at once and then at most this often, with a count."""

_log: Final = logging.getLogger("tradebus.bus")


@dataclass(frozen=True, slots=True)
class BusEvent:
    """Something happened to the bus itself."""

    fatal: ClassVar[bool] = False
    """Whether this bus, or this reader, is of no more use and the service should end in order."""


@dataclass(frozen=True, slots=True)
class Connected(BusEvent):
    """A connection was made for the first time. ``connection`` is its role: ``data``, ``control`` or ``journal``."""

    connection: str
    server: str
    server_version: str


@dataclass(frozen=True, slots=True)
class Disconnected(BusEvent):
    """A connection was lost; it is tried again for ever. What was not yet sent is dropped, not kept for later.

    ``is_silent``: the server had stopped to answer pings; otherwise the connection broke.
    """

    connection: str
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Reconnected(BusEvent):
    """A connection is back: subscriptions are renewed, readers go on where they were. Resync what is lossy."""

    connection: str
    outage_s: float


@dataclass(frozen=True, slots=True)
class Closed(BusEvent):
    """A connection was closed for good without our asking, as after a protocol violation: end the service."""

    fatal: ClassVar[bool] = True
    connection: str
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionTrouble(BusEvent):
    """Something the client library reported, such as a failed attempt to connect.

    ``repeated`` counts the same ones left out since the last report.
    """

    connection: str
    reason: str
    repeated: int


@dataclass(frozen=True, slots=True)
class ServerLeaving(BusEvent):
    """The server is about to stop in order (lame duck mode)."""

    connection: str


@dataclass(frozen=True, slots=True)
class SlowConsumer(BusEvent):
    """A subscription's handler did not keep up and its newest messages were dropped.

    ``dropped`` since the last report, ``dropped_total`` since the subscription began.
    """

    subject: str
    dropped: int
    dropped_total: int


@dataclass(frozen=True, slots=True)
class OutboundDropped(BusEvent):
    """Messages were not sent because the connection was down or its buffer full; counts as for SlowConsumer."""

    connection: str
    dropped: int
    dropped_total: int


@dataclass(frozen=True, slots=True)
class PermissionViolation(BusEvent):
    """The server refused our user a subject. At start-up this is a wrong configuration: end the service.

    ``operation`` is ``publish`` or ``subscription``; ``subject`` comes in lower case from the client library.
    """

    connection: str
    operation: str
    subject: str


@dataclass(frozen=True, slots=True)
class HandlerFailed(BusEvent):
    """A handler raised on a message; the subscription goes on with the next.

    Reported at once and then once a period: ``repeated`` counts since the last report, ``error`` is the newest.
    """

    subject: str
    error: Exception
    repeated: int


@dataclass(frozen=True, slots=True)
class ReaderResumed(BusEvent):
    """A journal reader was set up again and goes on at ``sequence``; nothing was lost or repeated."""

    stream: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReaderFailed(BusEvent):
    """A journal reader stopped and will not go on."""

    fatal: ClassVar[bool] = True
    stream: str
    error: BusError


Listener: TypeAlias = Callable[[BusEvent], None]


@final
class EventHub:
    """Hands events to listeners and survives whatever they do."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Report to ``listener`` from now on; it must return quickly and not block."""
        self._listeners.append(listener)

    def emit(self, event: BusEvent) -> None:
        """Report ``event`` to every listener, in the order they were added. Never raises."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever a listener does, the bus goes on
                _log.exception("a bus listener raised on %r", event)


@final
class DropCounter:
    """Counts what was dropped and reports it at once, then at most once a period, never losing a count.

    ``report(dropped, dropped_total)`` is called within the event loop.
    """

    def __init__(self, report: Callable[[int, int], None], period_s: float = REPORT_PERIOD_S) -> None:
        self._report: Final = report
        self._period_s: Final = period_s
        self._unreported = 0
        self._timer: TimerHandle | None = None
        self.total = 0

    def count(self) -> None:
        """Count one more."""
        self.total += 1
        self._unreported += 1
        if self._timer is None:
            self._flush(get_running_loop())

    def close(self) -> None:
        """Report what is left and stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._unreported:
            unreported, self._unreported = self._unreported, 0
            self._report(unreported, self.total)

    def _flush(self, loop: AbstractEventLoop) -> None:
        self._timer = None
        if self._unreported:
            self._timer = loop.call_later(self._period_s, self._flush, loop)
            unreported, self._unreported = self._unreported, 0
            self._report(unreported, self.total)


@final
class FailureCounter:
    """Reports what a handler raises as HandlerFailed events, at once and then once a period."""

    def __init__(self, events: EventHub, subject: str) -> None:
        self._events: Final = events
        self._subject: Final = subject
        self._newest: Exception | None = None
        self._counter: Final = DropCounter(self._report)

    def count(self, error: Exception) -> None:
        """Count one more."""
        self._newest = error
        self._counter.count()

    def close(self) -> None:
        """Report what is left and stop the timer."""
        self._counter.close()

    def _report(self, failed: int, _failed_total: int) -> None:
        if self._newest is not None:
            self._events.emit(HandlerFailed(self._subject, self._newest, failed))
