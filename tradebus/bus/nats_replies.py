"""Await answers on one inbox: for requests, for acknowledgements of appends, for the JetStream API.

One subscription for all of them and a number per request, which costs a fifth of the client library's way.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, final

from nats.aio.msg import Msg

from tradebus.bus.errors import BusError, NoResponders, PermissionDenied, UnknownOutcome
from tradebus.bus.nats_wire import NO_RESPONDERS, STATUS


@final
class ReplySlot:
    """One awaited answer. ``reply_subject`` is where it must be sent."""

    __slots__ = ("_answer", "_timer", "reply_subject", "subject")

    def __init__(self, subject: str, reply_subject: str) -> None:
        self.subject: Final = subject
        self.reply_subject: Final = reply_subject
        self._answer: Final[asyncio.Future[Msg | BusError]] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, timeout_s: float) -> Msg:
        """Return the answer. Raises UnknownOutcome, NoResponders or PermissionDenied."""
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._expire, timeout_s)
        answer = await self._answer
        if isinstance(answer, BusError):
            raise answer
        return answer

    def settle(self, answer: Msg | BusError) -> None:
        """End the waiting; only the first answer counts."""
        if not self._answer.done():
            self._answer.set_result(answer)

    def release(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._answer.cancel()

    def _expire(self, timeout_s: float) -> None:
        self.settle(UnknownOutcome(self.subject, f"no answer within {timeout_s:g} s"))


@final
class ReplyInbox:
    """The answers that one connection waits for; they come on subjects that begin with ``prefix``."""

    def __init__(self) -> None:
        self._slots: dict[str, ReplySlot] = {}
        self.prefix = ""
        self._next_number = 0

    @contextmanager
    def slot(self, subject: str) -> Iterator[ReplySlot]:
        """Give a request on ``subject`` a place for its answer for as long as the block lasts."""
        self._next_number += 1
        number = str(self._next_number)
        slot = self._slots[number] = ReplySlot(subject, self.prefix + number)
        try:
            yield slot
        finally:
            del self._slots[number]
            slot.release()

    def lose(self, reason: str) -> None:
        """Tell everybody who waits that no answer will come."""
        for slot in self._slots.values():
            slot.settle(UnknownOutcome(slot.subject, reason))

    def refuse(self, subject: str) -> None:
        """Tell those who sent on ``subject`` that the server refused it."""
        for slot in self._slots.values():
            if slot.subject.lower() == subject:
                slot.settle(PermissionDenied(slot.subject, "publish"))

    async def on_answer(self, message: Msg) -> None:
        """Take what arrives below ``prefix``."""
        slot = self._slots.get(message.subject[len(self.prefix) :])
        if slot is None:
            return
        headers = message.headers
        if headers is not None and headers.get(STATUS) == NO_RESPONDERS and not message.data:
            slot.settle(NoResponders(slot.subject))
        else:
            slot.settle(message)
