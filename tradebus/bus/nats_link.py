"""One connection to NATS that outlives servers, reports everything and raises nothing from its own tasks."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, final

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from tradebus.bus.errors import BusClosed, BusUnavailable, ConnectFailed, NotSent, PermissionDenied, UnknownOutcome
from tradebus.bus.events import (
    Closed,
    Connected,
    ConnectionTrouble,
    Disconnected,
    DropCounter,
    EventHub,
    OutboundDropped,
    PermissionViolation,
    Reconnected,
    ServerLeaving,
)
from tradebus.bus.message import Headers
from tradebus.bus.nats_client import LinkClient, cancel_for_good
from tradebus.bus.nats_options import MESSAGE_FILL, MIB, NatsOptions
from tradebus.bus.nats_replies import ReplyInbox
from tradebus.bus.nats_wire import parse_permission_violation, publish_command

WATCH_PERIOD_S: Final = 1.0
TROUBLES_MAX: Final = 32
PENDING_BYTES_MAX: Final = 64 * MIB
"""What a subscription keeps for a handler that is behind, beside the limit on messages."""


_CONNECTION_LOST: Final = "the connection was lost while waiting"
_log: Final = logging.getLogger("tradebus.bus")


@final
class NatsLink:
    """One connection in one role (``data``, ``control``, ``journal``).

    ``on_back`` is called after each reconnection was reported.
    """

    def __init__(
        self, role: str, options: NatsOptions, events: EventHub, on_back: Callable[[], None] = lambda: None
    ) -> None:
        self.role: Final = role
        self._options: Final = options
        self._events: Final = events
        self._on_back: Final = on_back
        self._loop: Final = asyncio.get_running_loop()
        self._client: Final = LinkClient()
        self._replies: Final = ReplyInbox()
        self._outbound_drops: Final = DropCounter(self._report_drops)
        self._inbound_drops: dict[int, DropCounter] = {}
        self._troubles: dict[str, DropCounter] = {}
        self._denied_subscriptions: set[str] = set()
        self._flushes: set[asyncio.Future[bool]] = set()
        self._refused: Final[asyncio.Future[str]] = self._loop.create_future()
        self._closing = False
        self._was_connected = False
        self._lost_at = self._loop.time()
        self._watcher: asyncio.Task[None] | None = None
        self._bytes_max = 0

    # ------------------------------------------------------------------------------ opening and closing

    async def open(self, timeout_s: float) -> None:
        """Connect, trying again until ``timeout_s`` is over, or at once not if the server refuses us.

        Raises ConnectFailed, or PermissionDenied when the user may not listen to answers under its inbox prefix.
        """
        connecting = self._loop.create_task(self._connect())
        outcomes: set[asyncio.Future[Any]] = {connecting, self._refused}
        await asyncio.wait(outcomes, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            await cancel_for_good({connecting})
            reason = self._refused.result() if self._refused.done() else str(self._client.last_error or "no answer")
            await self.close(0.0)
            raise ConnectFailed(self._options.servers, timeout_s, reason)
        connecting.result()
        self._bytes_max = int(self._client.max_payload * MESSAGE_FILL)
        self._was_connected = True
        self._replies.prefix = f"{self.new_inbox()}."
        await self.subscribe(f"{self._replies.prefix}*", self._replies.on_answer, pending_max=0)
        self._watcher = self._loop.create_task(self._watch())
        server = self._client.connected_url
        version = str(self.server_info.get("version", ""))
        self._events.emit(Connected(self.role, server.netloc if server else "", version))

    async def close(self, timeout_s: float) -> None:
        """Send what is buffered and close. Never raises."""
        if self._closing:
            return
        self._closing = True
        if self._watcher is not None:
            self._watcher.cancel()
        if self.is_connected and timeout_s > 0:
            with contextlib.suppress(BusUnavailable):
                await self.flush(timeout_s)
        self._replies.lose("the bus was closed while waiting")
        self._client.discard_outbound()
        await self._client.end(max(timeout_s, 0.1))
        self._refused.cancel()
        for counter in (self._outbound_drops, *self._inbound_drops.values(), *self._troubles.values()):
            counter.close()

    async def _connect(self) -> None:
        options = self._options
        settings: dict[str, Any] = {
            "servers": list(options.servers),
            "name": " ".join(part for part in (options.service, options.instance, self.role) if part),
            "inbox_prefix": options.inbox_prefix,
            "user": options.user,
            "password": options.password,
            "nkeys_seed": None if options.nkey_seed_file is None else str(options.nkey_seed_file),
            "user_credentials": options.credentials_file,
            "tls": options.tls,
            "connect_timeout": options.connect_timeout_s,
            "reconnect_time_wait": random.uniform(  # noqa: S311 - spreads load, guards nothing
                options.reconnect_wait_s_min, options.reconnect_wait_s_max
            ),
            "max_reconnect_attempts": -1,
            "ping_interval": options.ping_interval_s,
            "max_outstanding_pings": options.pings_unanswered_max,
            "pending_size": -1,
        }
        await self._client.connect(
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            lame_duck_mode_cb=self._on_lame_duck,
            **settings,
        )

    # ------------------------------------------------------------------------------ state

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._client.is_connected

    @property
    def bytes_max(self) -> int:
        """Return how many bytes payload and headers of one message may have."""
        return self._bytes_max

    @property
    def server_info(self) -> dict[str, Any]:
        """Return what the server said of itself when it greeted us."""
        return self._client.server_info

    def new_inbox(self) -> str:
        """Return a subject of our own that nobody else uses."""
        return self._client.new_inbox()

    # ------------------------------------------------------------------------------ messages

    def send(self, subject: str, payload: bytes, headers: Headers | None = None, reply: str = "") -> bool:
        """Hand a message over; False when it was dropped. Raises MessageError."""
        command = publish_command(subject, reply, payload, headers, self._bytes_max)
        client = self._client
        if not client.is_connected or client.outbound_bytes + len(command) > self._options.outbound_bytes_max:
            self._outbound_drops.count()
            return False
        client.send(command)
        return True

    async def request(self, subject: str, payload: bytes, timeout_s: float, headers: Headers | None = None) -> Msg:
        """Send a message and return the first answer.

        Raises NotSent, NoResponders, PermissionDenied (nobody got it), UnknownOutcome, MessageError.
        """
        if self._closing:
            raise BusClosed(subject)
        with self._replies.slot(subject) as slot:
            if not self.send(subject, payload, headers, slot.reply_subject):
                raise NotSent(subject, "outbound buffer full" if self.is_connected else "not connected")
            return await slot.wait(timeout_s)

    async def subscribe(
        self,
        pattern: str,
        callback: Callable[[Msg], Awaitable[None]],
        pending_max: int,
        drops: DropCounter | None = None,
    ) -> NatsSubscription:
        """Subscribe; on return the server knows of it, or will at the reconnection.

        ``pending_max`` messages, and 64 MiB, are kept for a handler that is behind; 0 means no limit on either.

        Raises PermissionDenied, BusClosed.
        """
        if self._closing:
            raise BusClosed(pattern)
        self._denied_subscriptions.discard(pattern.lower())
        subscription = await self._client.subscribe(
            pattern,
            cb=callback,
            pending_msgs_limit=pending_max,
            pending_bytes_limit=PENDING_BYTES_MAX if pending_max else 0,
        )
        if drops is not None:
            self._inbound_drops[subscription._id] = drops  # noqa: SLF001 - how the library names it in its reports
        if self.is_connected:
            # A refusal comes before the answer to this round trip.
            with contextlib.suppress(BusUnavailable):
                await self.flush(self._options.connect_timeout_s)
        if pattern.lower() in self._denied_subscriptions:
            await self.unsubscribe(subscription)
            raise PermissionDenied(pattern, "subscription")
        return subscription

    async def unsubscribe(self, subscription: NatsSubscription, *, drain: bool = False) -> None:
        """End a subscription, with ``drain`` after what waits was handled. Never raises."""
        with contextlib.suppress(nats.errors.Error):
            # Closed, or closing: there is nothing left to end.
            if drain:
                await subscription.drain()  # type: ignore[no-untyped-call]
            else:
                await subscription.unsubscribe()
        counter = self._inbound_drops.pop(subscription._id, None)  # noqa: SLF001 - as above
        if counter is not None:
            counter.close()

    async def flush(self, timeout_s: float) -> None:
        """Return when the server has all that was sent. Raises NotSent or UnknownOutcome."""
        if not self.is_connected:
            raise NotSent("flush", "not connected")
        pong: asyncio.Future[bool] = self._loop.create_future()
        self._flushes.add(pong)
        try:
            self._client.ping(pong)
            await asyncio.wait({pong}, timeout=timeout_s)
        except (OSError, RuntimeError) as error:
            raise UnknownOutcome("flush", str(error)) from error
        finally:
            self._flushes.discard(pong)
        if not pong.done():
            raise UnknownOutcome("flush", f"no answer within {timeout_s:g} s")
        if not pong.result():
            raise UnknownOutcome("flush", _CONNECTION_LOST)

    # ------------------------------------------------------------------------------ what the library reports

    async def _on_error(self, error: Exception) -> None:
        """Sort what the library reports. An exception from here would end its read loop."""
        try:
            if isinstance(error, nats.errors.SlowConsumerError):
                counter = self._inbound_drops.get(error.sid)
                if counter is not None:
                    counter.count()
                return
            text = str(error) or type(error).__name__
            if not self._was_connected and "authorization violation" in text.lower() and not self._refused.done():
                self._refused.set_result(text)
            refused = parse_permission_violation(text)
            if refused is not None:
                self._note_refusal(*refused)
            else:
                self._note_trouble(text)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("could not report %r", error)

    async def _on_disconnected(self) -> None:
        self._client.discard_outbound()
        self._lost_at = self._loop.time()
        for pong in self._flushes:
            if not pong.done():
                pong.set_result(False)
        self._replies.lose(_CONNECTION_LOST)
        if self._was_connected and not self._closing:
            self._events.emit(Disconnected(self.role, self._client.is_silent))

    async def _on_reconnected(self) -> None:
        self._events.emit(Reconnected(self.role, self._loop.time() - self._lost_at))
        self._on_back()

    async def _on_closed(self) -> None:
        if self._was_connected and not self._closing:
            self._events.emit(Closed(self.role, str(self._client.last_error or "closed by the server")))

    async def _on_lame_duck(self) -> None:
        self._events.emit(ServerLeaving(self.role))

    def _note_refusal(self, operation: str, subject: str) -> None:
        if operation == "publish":
            self._replies.refuse(subject)
        else:
            self._denied_subscriptions.add(subject)
        self._events.emit(PermissionViolation(self.role, operation, subject))

    def _note_trouble(self, text: str) -> None:
        """Report one kind of trouble at once and then once a period."""
        counter = self._troubles.get(text)
        if counter is None:
            if len(self._troubles) >= TROUBLES_MAX:
                self._troubles.pop(next(iter(self._troubles))).close()
            counter = self._troubles[text] = DropCounter(
                lambda new, _total: self._events.emit(ConnectionTrouble(self.role, text, new))
            )
        counter.count()

    def _report_drops(self, dropped: int, dropped_total: int) -> None:
        self._events.emit(OutboundDropped(self.role, dropped, dropped_total))

    async def _watch(self) -> None:
        """Start again what should run and does not: trying to reconnect never ends."""
        while not self._client.is_closed:
            await asyncio.sleep(WATCH_PERIOD_S)
            broken = self._client.broken_part()
            if broken is not None:
                self._note_trouble(f"{broken} had ended; reconnecting")
                self._client.reconnect_now()
