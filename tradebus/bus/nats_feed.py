"""Receive what a stream holds through a push consumer that is set up anew whenever something looks wrong.

The library's ordered consumer takes 19 s to notice a restarted server and loses messages for good when its own queue
overflows. This one is set up again as soon as the connection is back (0.01 s), has no limit on its queue but the
server's flow control, which waits for the handler, and counts every message.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from tradebus.bus.errors import BusError, BusUnavailable, Refused
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_wire import CONTROL, DESCRIPTION, STATUS
from tradebus.bus.reading import SLICE_MESSAGES

IDLE_HEARTBEAT_S: Final = 1.0
SILENCE_S_MAX: Final = 3.0
RETRY_S_MIN: Final = 0.05
RETRY_S_MAX: Final = 1.0

_STALLED: Final = "Nats-Consumer-Stalled"
_LAST_CONSUMER: Final = "Nats-Last-Consumer"
_NANOSECONDS: Final = 1_000_000_000
_SHORT_REPLY_TOKENS: Final = 9


@dataclass(slots=True, eq=False)
class Delivery:
    """One message from a stream and where it stood."""

    message: Msg
    sequence: int
    time_ns: int
    pending: int


@final
class PushFeed:
    """Hands the messages of a stream to ``take``, one at a time.

    ``start`` is asked at every set-up where to begin (consumer configuration) and may raise to give up. ``take``
    returns False when the message is not the one expected, upon which the feed is set up again. ``idle`` is called when
    the server says that it has nothing to deliver. ``gave_up`` and ``resumed`` report.
    """

    def __init__(
        self,
        link: NatsLink,
        stream: str,
        *,
        start: Callable[[], Awaitable[dict[str, Any]]],
        take: Callable[[Delivery], Awaitable[bool]],
        idle: Callable[[], None],
        gave_up: Callable[[BusError], None],
        resumed: Callable[[str], None],
    ) -> None:
        self._link: Final = link
        self._api: Final = JetStreamApi(link)
        self._stream: Final = stream
        self._start: Final = start
        self._take: Final = take
        self._idle: Final = idle
        self._gave_up: Final = gave_up
        self._resumed: Final = resumed
        self._loop: Final = asyncio.get_running_loop()
        self._queue: deque[Msg] = deque()
        self._wake: Final = asyncio.Event()
        self._subscription: NatsSubscription | None = None
        self._generation = 0
        self._received = 0
        self._heard_at = 0.0
        self._checked_at = 0.0
        self._restart_reason: str | None = None
        self._stopped = False
        self._silence_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> int:
        """Set up and start, and return how many messages were waiting. Raises what ``start`` does, or BusError."""
        try:
            waiting = await self._set_up()
        except BaseException:
            await self._drop_subscription()
            raise
        self._task = self._loop.create_task(self._run())
        self._checked_at = self._loop.time()
        self._silence_timer = self._loop.call_later(IDLE_HEARTBEAT_S, self._check_silence)
        return waiting

    @property
    def queued(self) -> int:
        """Return how many messages wait here for the handler."""
        return len(self._queue)

    def restart(self, reason: str) -> None:
        """Set up again from where the handler has got to, after the message it is at."""
        if self._restart_reason is None:
            self._restart_reason = reason
        self._wake.set()

    def halt(self) -> None:
        """Stop without waiting, as from within a handler."""
        self._stopped = True
        self._wake.set()

    async def stop(self) -> None:
        """Stop; a handler that is running is awaited first, unless it is the caller."""
        self.halt()
        if self._task is not None and asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    # ------------------------------------------------------------------------------ setting up

    async def _set_up(self) -> int:
        await self._drop_subscription()
        position = await self._start()
        self._generation += 1
        generation = self._generation
        self._queue.clear()
        self._received = 0
        self._heard_at = self._loop.time()

        async def on_message(message: Msg) -> None:
            if generation == self._generation:
                self._heard_at = self._loop.time()
                self._queue.append(message)
                self._wake.set()

        inbox = self._link.new_inbox()
        self._subscription = await self._link.subscribe(inbox, on_message, pending_max=0)
        name = inbox.rpartition(".")[2]
        created = await self._api.call(
            f"CONSUMER.CREATE.{self._stream}.{name}",
            {
                "stream_name": self._stream,
                "config": {
                    "name": name,
                    "deliver_subject": inbox,
                    "ack_policy": "none",
                    "max_deliver": 1,
                    "replay_policy": "instant",
                    "flow_control": True,
                    "idle_heartbeat": int(IDLE_HEARTBEAT_S * _NANOSECONDS),
                    "mem_storage": True,
                    "num_replicas": 1,
                    **position,
                },
            },
        )
        return int(created.get("num_pending", 0))

    async def _set_up_again(self, reason: str) -> None:
        """Try until it works: an outage may last for hours."""
        retry_s = RETRY_S_MIN
        while not self._stopped:
            self._restart_reason = None
            try:
                await self._set_up()
            except (BusUnavailable, Refused):
                self._wake.clear()
                try:
                    # A reconnection wakes us before the time is over.
                    await asyncio.wait_for(self._wake.wait(), retry_s)
                except TimeoutError:
                    retry_s = min(retry_s * 2, RETRY_S_MAX)
            else:
                self._resumed(reason)
                return

    async def _drop_subscription(self) -> None:
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await self._link.unsubscribe(subscription)

    def _check_silence(self) -> None:
        """Set up again when not even heartbeats come although the connection stands."""
        if self._stopped:
            return
        now = self._loop.time()
        was_blocked = now - self._checked_at > 2 * IDLE_HEARTBEAT_S
        self._checked_at = now
        self._silence_timer = self._loop.call_later(IDLE_HEARTBEAT_S, self._check_silence)
        silence_s = now - self._heard_at
        # After the loop itself was blocked, what arrived meanwhile has not been read yet.
        if silence_s > SILENCE_S_MAX and not was_blocked and self._link.is_connected:
            self._heard_at = now
            self.restart(f"nothing heard for {silence_s:.1f} s")

    # ------------------------------------------------------------------------------ handing over

    async def _run(self) -> None:
        try:
            handled = 0
            while not self._stopped:
                if self._restart_reason is not None:
                    await self._set_up_again(self._restart_reason)
                elif self._queue:
                    await self._handle(self._queue.popleft())
                    handled += 1
                    if handled % SLICE_MESSAGES == 0:
                        await asyncio.sleep(0)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except BusError as error:
            self._gave_up(error)
        finally:
            self._stopped = True
            if self._silence_timer is not None:
                self._silence_timer.cancel()
            await self._drop_subscription()

    async def _handle(self, message: Msg) -> None:
        headers = message.headers
        if headers is not None and not message.data and STATUS in headers:
            self._handle_status(message, headers)
            return
        delivery, consumer_sequence = _parse_delivery(message)
        self._received += 1
        if consumer_sequence != self._received:
            self.restart(f"expected delivery {self._received}, found {consumer_sequence}")
        elif not await self._take(delivery):
            self.restart(f"did not expect sequence {delivery.sequence}")

    def _handle_status(self, message: Msg, headers: dict[str, str]) -> None:
        """Answer flow control, in its place in the queue: what came before it has been handled."""
        if headers[STATUS] != CONTROL:
            self.restart(f"the server said {headers[STATUS]} {headers.get(DESCRIPTION, '')}")
        elif message.reply:
            self._link.send(message.reply, b"")
        else:
            stalled = headers.get(_STALLED)
            if stalled:
                self._link.send(stalled, b"")
            sent = int(headers.get(_LAST_CONSUMER, self._received))
            if sent != self._received:
                self.restart(f"{sent} were sent, {self._received} arrived")
            elif not stalled:
                self._idle()


def _parse_delivery(message: Msg) -> tuple[Delivery, int]:
    """Return a delivery and its number within the consumer, from the reply subject the server gave it."""
    tokens = message.reply.split(".")
    if len(tokens) == _SHORT_REPLY_TOKENS:
        stream_sequence, consumer_sequence, time_ns, pending = tokens[5:9]
    else:
        stream_sequence, consumer_sequence, time_ns, pending = tokens[7:11]
    return Delivery(message, int(stream_sequence), int(time_ns), int(pending)), int(consumer_sequence)
