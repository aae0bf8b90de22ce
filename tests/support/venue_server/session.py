"""One websocket connection as the venue sees it: subscriptions, limits, pings, and the ways to break it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from tests.support.venue_server.control import RequestError, StreamSet
from tests.support.venue_server.frames import in_envelope

INBOUND_MESSAGES_PER_SECOND_MAX: Final = 5
_FROZEN_POLL_S: Final = 0.01
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close sends RST


class AckMode(Enum):
    """How the venue answers a control message."""

    NORMAL = "normal"
    WITHHOLD = "withhold"
    """Apply it, and say nothing."""
    REFUSE = "refuse"
    """Answer with an error reply and do not apply it."""
    REFUSE_FLAT = "refuse_flat"
    """The error reply of older deployments, without the ``error`` member."""
    REFUSE_RESULT = "refuse_result"
    """A result that is not null."""


@dataclass(slots=True)
class Behaviour:
    """How the server treats its connections; a test changes it at any time, for the messages that follow."""

    ack: AckMode = AckMode.NORMAL
    accept: bool = True
    """False refuses the websocket handshake with status 503."""
    answers_pings: bool = True
    is_frozen: bool = False
    """True reads nothing and sends nothing, while the connection stays open: a half-open link."""
    early_frames: list[bytes] = field(default_factory=list)
    """Sent verbatim before the answer to each control message."""
    answers_max: int | None = None
    """Control messages of one connection answered normally; those after them get no answer. None: all."""
    enforces_rate: bool = True
    """False allows any number of messages a second, where the venue allows five."""


class Session:
    """A connection: what it asked for, what it listens to, and its socket."""

    def __init__(
        self, number: int, path: str, streams: StreamSet, behaviour: Behaviour, on_change: Callable[[], None]
    ) -> None:
        self.number = number
        self.path = path
        self.streams = streams
        self.requests: list[str] = []
        self.pings_received = 0
        self.pongs_received: list[bytes] = []
        self.frames_sent = 0
        self.close_code: int | None = None
        self.is_open = False
        self.was_rate_limited = False
        # The server answers pings and close frames itself, so that a test can make it fall silent.
        self._websocket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False)
        self._behaviour = behaviour
        self._on_change = on_change
        self._inbound_times: deque[float] = deque(maxlen=INBOUND_MESSAGES_PER_SECOND_MAX + 1)
        self._transport: asyncio.Transport | None = None

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Answer one connection until either side ends it."""
        self._transport = request.transport
        await self._websocket.prepare(request)
        self.is_open = True
        self._on_change()
        try:
            async for message in self._websocket:
                if not await self._take(message):
                    break
            self.close_code = self._websocket.close_code
            await self._say_goodbye()
        finally:
            self.is_open = False
            self._on_change()
        return self._websocket

    async def publish(self, stream: str, payload: bytes) -> bool:
        """Send a payload if this connection listens to the stream, in its envelope or raw. Say whether it was sent."""
        if stream not in self.streams.streams:
            return False
        return await self.send_raw(in_envelope(stream, payload) if self.streams.combined else payload)

    async def send_raw(self, frame: bytes, kind: WSMsgType = WSMsgType.TEXT) -> bool:
        """Send bytes as one frame, whatever they hold; False when the connection is gone or frozen."""
        if not self.is_open or self._behaviour.is_frozen:
            return False
        try:
            await self._websocket.send_frame(frame, kind)
        except ConnectionError:
            return False
        self.frames_sent += 1
        return True

    async def ping(self, payload: bytes) -> None:
        """Send a protocol ping, unless the connection is gone or frozen."""
        if self.is_open and not self._behaviour.is_frozen:
            with contextlib.suppress(ConnectionError):  # it went away meanwhile: nobody is left to ping
                await self._websocket.ping(payload)

    async def close(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        """Close with a close frame, as the venue does at the end of a connection's 24 hours."""
        self.is_open = False
        await self._websocket.close(code=code)

    def reset(self) -> None:
        """Break the connection with a TCP reset: no close frame, no goodbye."""
        assert self._transport is not None, "a session is reset only once it serves"
        self.is_open = False
        raw_socket = self._transport.get_extra_info("socket")
        raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    async def _take(self, message: WSMessage) -> bool:
        if self._behaviour.is_frozen:
            return True
        if self._behaviour.enforces_rate and self._is_too_fast():
            self.was_rate_limited = True
            await self._websocket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")
            return False
        if message.type is WSMsgType.PING:
            self.pings_received += 1
            if self._behaviour.answers_pings:
                await self._websocket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            self.pongs_received.append(bytes(message.data))
        elif message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
            await self._control(message.data)
        self._on_change()
        return True

    async def _say_goodbye(self) -> None:
        """Answer the other side's close frame; a frozen link stays as it is until the other side lets go of it."""
        while self._behaviour.is_frozen and self._transport is not None and not self._transport.is_closing():
            await asyncio.sleep(_FROZEN_POLL_S)  # a transport tells nobody when it closes
        await self._websocket.close()

    def _is_too_fast(self) -> bool:
        times = self._inbound_times
        times.append(asyncio.get_running_loop().time())
        return len(times) > INBOUND_MESSAGES_PER_SECOND_MAX and times[-1] - times[0] < 1.0

    async def _control(self, raw: bytes | str) -> None:
        self.requests.append(raw if isinstance(raw, str) else raw.decode())
        for frame in self._behaviour.early_frames:
            await self.send_raw(frame)
        reply = self._reply(raw)
        if reply is not None:
            await self.send_raw(reply)

    def _reply(self, raw: bytes | str) -> bytes | None:
        mode = self._behaviour.ack
        refusal = RequestError(2, "Invalid request: refused by the test", 1)
        if mode is AckMode.REFUSE:
            return refusal.reply()
        if mode is AckMode.REFUSE_FLAT:
            return refusal.reply(flat=True)
        if mode is AckMode.REFUSE_RESULT:
            return b'{"result":[],"id":1}'
        try:
            reply = self.streams.answer(raw)
        except RequestError as error:
            return error.reply()
        limit = self._behaviour.answers_max
        is_withheld = mode is AckMode.WITHHOLD or (limit is not None and len(self.requests) > limit)
        return None if is_withheld else reply
