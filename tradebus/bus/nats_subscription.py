"""Subscriptions and requests over one link."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as LibrarySubscription

from tradebus.bus.delivery import SLICE_ITEMS
from tradebus.bus.events import DropCounter, EventHub, FailureCounter, SlowConsumer
from tradebus.bus.interface import Subscription
from tradebus.bus.message import Headers, Message, MessageHandler, Request, RequestHandler
from tradebus.bus.nats_link import NatsLink


@final
class NatsRequest(Request):
    """A request with the way back to its sender."""

    __slots__ = ("_link", "_reply_subject")

    def __init__(self, link: NatsLink, message: Msg) -> None:
        super().__init__(message.subject, message.data, message.headers)
        self._link = link
        self._reply_subject = message.reply

    def reply(self, payload: bytes, headers: Headers | None = None) -> bool:
        """Answer the sender."""
        return self._link.send(self._reply_subject, payload, headers)


@final
class NatsSubscription(Subscription):
    """Interest in a subject. ``take`` makes of what arrives a call of the handler and returns what that returned.

    The client library queues, and drops the newest when its queue is full; that shows in ``dropped``.
    """

    def __init__(
        self,
        link: NatsLink,
        pattern: str,
        take: Callable[[Msg], Awaitable[None] | None],
        events: EventHub,
        forget: "Callable[[NatsSubscription], None]",
    ) -> None:
        self._link: Final = link
        self._pattern: Final = pattern
        self._take: Final = take
        self._events: Final = events
        self._forget: Final = forget
        self._drops: Final = DropCounter(self._report_drops)
        self._failures: Final = FailureCounter(events, pattern)
        self._handled = 0
        self._library: LibrarySubscription | None = None

    async def begin(self, pending_max: int) -> None:
        """Subscribe. Raises PermissionDenied, BusClosed."""
        self._library = await self._link.subscribe(self._pattern, self._on_message, pending_max, self._drops)

    @property
    def subject(self) -> str:
        """Return what was subscribed to."""
        return self._pattern

    @property
    def pending(self) -> int:
        """Return how many messages wait for the handler."""
        return 0 if self._library is None else self._library.pending_msgs

    @property
    def dropped(self) -> int:
        """Return how many messages were dropped because the handler was behind."""
        return self._drops.total

    async def unsubscribe(self) -> None:
        """Stop; what waits is discarded."""
        await self._end(drain=False)

    async def drain(self) -> None:
        """Stop after what waits has been handled."""
        await self._end(drain=True)

    async def _end(self, *, drain: bool) -> None:
        if self._library is not None:
            library, self._library = self._library, None
            self._forget(self)
            await self._link.unsubscribe(library, drain=drain)
            self._failures.close()

    async def _on_message(self, message: Msg) -> None:
        try:
            outcome = self._take(message)
            if outcome is not None:
                await outcome
        except Exception as error:  # noqa: BLE001 - reported; one bad message must not end the rest
            self._failures.count(error)
        # The library works its queue off without letting anything else run: not its pings, nor any acknowledgement.
        self._handled += 1
        if self._handled % SLICE_ITEMS == 0:
            await asyncio.sleep(0)

    def _report_drops(self, dropped: int, dropped_total: int) -> None:
        self._events.emit(SlowConsumer(self._pattern, dropped, dropped_total))


def taking_messages(handler: MessageHandler) -> Callable[[Msg], Awaitable[None] | None]:
    """Return the ``take`` of a subscription to whatever is published."""

    def take(message: Msg) -> Awaitable[None] | None:
        return handler(Message(message.subject, message.data, message.headers))

    return take


def taking_requests(link: NatsLink, handler: RequestHandler) -> Callable[[Msg], Awaitable[None] | None]:
    """Return the ``take`` of a subscription to requests; what asks for no answer is not one."""

    def take(message: Msg) -> Awaitable[None] | None:
        return handler(NatsRequest(link, message)) if message.reply else None

    return take
