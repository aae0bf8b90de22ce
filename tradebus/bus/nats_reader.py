"""A journal reader on JetStream."""

from typing import Any, Final, final

from tradebus.bus.errors import BusError, JournalHole, JournalPruned, JournalRewound
from tradebus.bus.events import EventHub, ReaderResumed
from tradebus.bus.message import JournalHandler, JournalMessage
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_feed import Delivery, PushFeed
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_wire import writer_headers
from tradebus.bus.reading import ReaderBase


@final
class NatsReader(ReaderBase):
    """Reads a stream, checking every sequence against the one before; make it with ``open_reader``."""

    def __init__(
        self,
        link: NatsLink,
        stream: str,
        start_sequence: int,
        end_sequence: int,
        handler: JournalHandler,
        events: EventHub,
    ) -> None:
        super().__init__(stream, start_sequence, end_sequence, handler, events)
        self._api: Final = JetStreamApi(link)
        self._pending = 0
        """How many messages the server said are still to come."""
        self._doubted_sequence = 0
        """What did not come when it was its turn; before it is asked for once more, the server must say that it is."""
        self._feed: Final = PushFeed(
            link,
            stream,
            start=self._position,
            take=self._take,
            idle=self._doubt_what_is_pending,
            gave_up=self._fail,
            resumed=self._report_resumed,
        )

    async def begin(self) -> None:
        """Start reading. Raises JournalHole, and what setting up does."""
        self._pending = await self._feed.begin()
        if not self._pending and self._next_sequence <= self._end_sequence:
            try:
                await check_hole(self._api, self._stream, self._next_sequence)
            except BusError:
                await self.stop()
                raise

    def reconnected(self) -> None:
        """Go on after a reconnection; the server forgot the consumer, or will."""
        if not self.is_over:
            self._feed.restart("reconnected")

    async def stop(self) -> None:
        """Stop reading; a handler that is running is awaited first, unless it is the caller."""
        self._note_stopped()
        await self._feed.stop()

    def _fail(self, error: BusError) -> None:
        super()._fail(error)
        self._feed.halt()

    async def _position(self) -> dict[str, Any]:
        await check_position(self._api, self._stream, self._next_sequence)
        if self._doubted_sequence == self._next_sequence:
            await check_hole(self._api, self._stream, self._next_sequence)
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._next_sequence}

    async def _take(self, delivery: Delivery) -> bool:
        if self.is_over:
            return True
        if delivery.sequence != self._next_sequence:
            self._doubted_sequence = self._next_sequence
            return False
        self._pending = delivery.pending
        source = delivery.message
        await self._hand_over(
            JournalMessage(
                self._stream,
                source.subject,
                delivery.sequence,
                source.data,
                writer_headers(source.headers),
                delivery.time_ns,
                delivery.pending,
            )
        )
        if not delivery.pending and delivery.sequence < self._end_sequence and not self.is_over:
            self._doubted_sequence = self._next_sequence
            self._feed.restart(f"no message behind {delivery.sequence}, of {self._end_sequence}")
        return True

    def _doubt_what_is_pending(self) -> None:
        """Ask for the next message by its number: a server that cannot read it counts it, and never delivers it."""
        if self._pending and not self.is_over:
            self._doubted_sequence = self._next_sequence
            self._feed.restart(f"idle with {self._pending} messages behind {self._next_sequence - 1}")

    def _report_resumed(self, reason: str) -> None:
        self._events.emit(ReaderResumed(self._stream, self._next_sequence, reason))


async def open_reader(
    link: NatsLink, stream: str, start_sequence: int, handler: JournalHandler, events: EventHub
) -> NatsReader:
    """Return a reader that has started.

    Raises JournalPruned, JournalRewound, JournalHole, NoJournal, BusUnavailable.
    """
    end_sequence = await check_position(JetStreamApi(link), stream, start_sequence)
    reader = NatsReader(link, stream, start_sequence, end_sequence, handler, events)
    await reader.begin()
    return reader


async def check_position(api: JetStreamApi, stream: str, wanted: int) -> int:
    """Check that a stream can be read from ``wanted`` on and return its last sequence."""
    state = await api.stream_state(stream)
    if wanted < state.first_sequence:
        raise JournalPruned(stream, wanted, state.first_sequence)
    if wanted > state.last_sequence + 1:
        raise JournalRewound(stream, wanted, state.last_sequence)
    return state.last_sequence


async def check_hole(api: JetStreamApi, stream: str, wanted: int) -> None:
    """Check that a message that did not come is there. Raises JournalHole, JournalPruned, and what asking does."""
    last = await check_position(api, stream, wanted)
    if wanted <= last and await api.message(stream, {"seq": wanted}) is None:
        raise JournalHole(stream, wanted, last)
