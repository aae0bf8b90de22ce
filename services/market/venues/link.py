"""Open websockets and move raw frames: the only module here that knows the HTTP library.

Protocol pings are answered here and count as life. Whatever the library raises becomes one of our own errors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Final, Literal, Protocol, TypeAlias

import aiohttp

from services.market.venues.errors import ConnectFailed, LinkClosed
from tradebus.core.model.identifiers import ExchangeId

CLOSE_TIMEOUT_S: Final = 1.0
"""How long a goodbye may take; a venue that does not answer it is left."""
FRAME_LENGTH_MAX: Final = 4 * 1024 * 1024


class Link(Protocol):
    """One open websocket."""

    received: int
    """Everything received so far: data, pings, pongs."""
    data_received: int
    """Data frames received so far."""

    async def send(self, payload: bytes) -> None:
        """Send one text frame; raises LinkClosed."""
        ...

    async def receive(self) -> bytes:
        """Return the next data frame; raises LinkClosed when there will be none."""
        ...

    async def ping(self) -> None:
        """Send a protocol ping, to which the other side owes a pong; raises LinkClosed."""
        ...

    async def close(self) -> None:
        """Say goodbye and let go. Never raises; takes a second or two at most where nobody answers."""
        ...


Connector: TypeAlias = Callable[[str], Coroutine[None, None, Link]]
"""Opens a link to an address; raises ConnectFailed."""


class WebsocketLink:
    """A link over aiohttp."""

    def __init__(
        self, exchange: ExchangeId, url: str, websocket: aiohttp.ClientWebSocketResponse[Literal[False]]
    ) -> None:
        self.received = 0
        self.data_received = 0
        self._exchange = exchange
        self._url = url
        self._websocket = websocket

    async def send(self, payload: bytes) -> None:
        """Send one text frame; raises LinkClosed."""
        await self._send_frame(payload, aiohttp.WSMsgType.TEXT)

    async def ping(self) -> None:
        """Send a protocol ping; raises LinkClosed."""
        await self._send_frame(b"", aiohttp.WSMsgType.PING)

    async def receive(self) -> bytes:
        """Return the next data frame; raises LinkClosed when there will be none."""
        while True:
            message = await self._websocket.receive()
            kind = message.type
            if kind is aiohttp.WSMsgType.TEXT or kind is aiohttp.WSMsgType.BINARY:
                self.received += 1
                self.data_received += 1
                return bytes(message.data)
            if kind is aiohttp.WSMsgType.PING:
                self.received += 1
                await self._send_frame(message.data, aiohttp.WSMsgType.PONG)
            elif kind is aiohttp.WSMsgType.PONG:
                self.received += 1
            else:
                raise self._closed(kind, message.data, message.extra)

    async def close(self) -> None:
        """Say goodbye and let go. The library waits for the answer only so long, and keeps its errors to itself."""
        with contextlib.suppress(TimeoutError):  # not even the goodbye could be written: the peer is gone
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await self._websocket.close()

    async def _send_frame(self, payload: bytes, kind: aiohttp.WSMsgType) -> None:
        try:
            await self._websocket.send_frame(payload, kind)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise LinkClosed(self._exchange, self._url, f"could not send: {error}") from error

    def _closed(self, kind: aiohttp.WSMsgType, data: object, extra: str | None) -> LinkClosed:
        if kind is aiohttp.WSMsgType.CLOSE:
            return LinkClosed(self._exchange, self._url, f"close frame {data} {extra or ''}".rstrip(), self._close_code)
        if kind is aiohttp.WSMsgType.ERROR:
            return LinkClosed(self._exchange, self._url, f"protocol error: {data}", self._close_code)
        return LinkClosed(self._exchange, self._url, "connection lost without a close frame")

    @property
    def _close_code(self) -> int | None:
        return self._websocket.close_code


class WebsocketConnector:
    """Opens links over one HTTP session; close it at the end."""

    def __init__(self, exchange: ExchangeId, *, connect_timeout_s: float) -> None:
        self._exchange = exchange
        self._connect_timeout_s = connect_timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def open(self, url: str) -> Link:
        """Open a websocket within the time allowed; raises ConnectFailed."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                websocket = await self._session.ws_connect(
                    url,
                    autoping=False,
                    decode_text=False,
                    max_msg_size=FRAME_LENGTH_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
                )
        except TimeoutError as error:
            raise ConnectFailed(self._exchange, url, f"no websocket within {self._connect_timeout_s} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ConnectFailed(self._exchange, url, f"no websocket: {error}") from error
        return WebsocketLink(self._exchange, url, websocket)

    async def close(self) -> None:
        """Close the session and with it every link still open."""
        if self._session is not None:
            await self._session.close()
            self._session = None
