"""Subscriptions and requests on a memory bus."""

import asyncio
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.delivery import HandlerQueue
from tradebus.bus.errors import PayloadTooLarge, UnknownOutcome
from tradebus.bus.events import DropCounter, EventHub, FailureCounter, SlowConsumer
from tradebus.bus.header_block import header_bytes
from tradebus.bus.interface import PENDING_MESSAGES_MAX, Subscription
from tradebus.bus.memory_broker import Receiver
from tradebus.bus.message import Headers, Message, MessageHandler, Request, RequestHandler


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
        self._failures: Final = FailureCounter(events, pattern)
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
        self._failures.close()
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

    def _report_failure(self, _item: Message | Request, error: Exception) -> None:
        self._failures.count(error)

    def _report_drops(self, dropped: int, dropped_total: int) -> None:
        self._events.emit(SlowConsumer(self.pattern, dropped, dropped_total))
