"""The venue server: Binance spot's websocket and REST on a loopback port, driven by a test or by a playback.

Websocket paths are the venue's: ``/ws`` and ``/ws/<stream>[/<stream>...]`` send raw payloads,
``/stream?streams=<stream>/<stream>`` sends them in the combined envelope; a path part without ``@`` names no stream
(clients number their connections that way).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.support.venue_server import rest
from tests.support.venue_server.control import STREAMS_PER_CONNECTION_MAX, StreamSet
from tests.support.venue_server.flow import GeneratedFlow
from tests.support.venue_server.session import Behaviour, Session

_WAIT_DEFAULT_S = 10.0
_SHUTDOWN_S = 1.0


class VenueServer:
    """A venue on loopback. Use as an async context manager; the port is free unless one is given."""

    def __init__(
        self, source: rest.MarketSource | None = None, *, port: int = 0, ping_interval_s: float = 20.0
    ) -> None:
        self.source: rest.MarketSource = GeneratedFlow(["BTCUSDT", "ETHUSDT"]) if source is None else source
        self.behaviour = Behaviour()
        self.sessions: list[Session] = []
        self.handshakes_refused = 0
        self._port = port
        self._ping_interval_s = ping_interval_s
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._pinger: asyncio.Task[None] | None = None
        self._notifiers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port listened on, known once started."""
        return self._port

    @property
    def ws_url(self) -> str:
        """The address of raw streams, as a connector is configured with it."""
        return f"ws://127.0.0.1:{self._port}/ws"

    @property
    def stream_url(self) -> str:
        """The address of combined streams."""
        return f"ws://127.0.0.1:{self._port}/stream"

    @property
    def rest_url(self) -> str:
        """The address of the REST interface, without ``/api/v3``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open_sessions(self) -> list[Session]:
        """The connections that are open now, oldest first."""
        return [session for session in self.sessions if session.is_open]

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        for path in ("/ws", "/ws/{streams:.+}", "/stream"):
            app.router.add_get(path, self._websocket)
        rest.add_routes(app, self.source)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._pinger = asyncio.create_task(self._ping_all())

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._pinger is not None:
            self._pinger.cancel()
        await asyncio.gather(*(session.close() for session in self.open_sessions))
        if self._runner is not None:
            await self._runner.cleanup()

    async def publish(self, stream: str, payload: bytes) -> int:
        """Send one payload to every connection that listens to the stream; return to how many."""
        sent = 0
        for session in self.open_sessions:
            sent += await session.publish(stream, payload)
        return sent

    async def send_raw(self, frame: bytes) -> int:
        """Send bytes verbatim to every open connection; return to how many."""
        sent = 0
        for session in self.open_sessions:
            sent += await session.send_raw(frame)
        return sent

    async def ping(self, payload: bytes = b"") -> None:
        """Send a protocol ping to every open connection."""
        for session in self.open_sessions:
            await session.ping(payload)

    async def close_all(self, code: int = 1001) -> None:
        """Close every connection with a close frame."""
        for session in self.open_sessions:
            await session.close(code)

    def reset_all(self) -> None:
        """Break every connection with a TCP reset."""
        for session in self.open_sessions:
            session.reset()

    async def wait_until(self, condition: Callable[[], bool], *, within_s: float = _WAIT_DEFAULT_S) -> None:
        """Wait until a condition over the server's state holds.

        Raises TimeoutError when it does not within the time given.
        """
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(condition)

    async def wait_subscribed(self, *streams: str, within_s: float = _WAIT_DEFAULT_S) -> None:
        """Wait until the open connections together listen to all the streams named."""
        await self.wait_until(
            lambda: set(streams) <= {name for session in self.open_sessions for name in session.streams.streams},
            within_s=within_s,
        )

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if not self.behaviour.accept:
            self.handshakes_refused += 1
            self._notify()
            return web.Response(status=503, text="Service Unavailable")
        is_combined = request.path == "/stream"
        listed = request.query.get("streams", "") if is_combined else request.match_info.get("streams", "")
        names = [name for name in listed.split("/") if "@" in name]
        if len(names) > STREAMS_PER_CONNECTION_MAX:
            return web.Response(status=400, text=f"at most {STREAMS_PER_CONNECTION_MAX} streams, found {len(names)}")
        streams = StreamSet(combined=is_combined, streams=dict.fromkeys(names))
        session = Session(len(self.sessions), request.path_qs, streams, self.behaviour, self._notify)
        self.sessions.append(session)
        return await session.serve(request)

    def _notify(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify_all())
        self._notifiers.add(task)
        task.add_done_callback(self._notifiers.discard)

    async def _notify_all(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _ping_all(self) -> None:
        while True:
            await asyncio.sleep(self._ping_interval_s)
            await self.ping(str(int(asyncio.get_running_loop().time() * 1000)).encode())
