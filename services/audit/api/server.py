"""Serve the API in the service's own event loop."""

import asyncio
import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.audit.api.problems import MEDIA_TYPE, malformed_body
from services.audit.api.security import HEADERS, Application
from services.audit.api.stream.socket import MESSAGE_BYTES_MAX
from services.runtime.ports import CannotListen, Listening
from tradebus.config import Address

BACKLOG: Final = 512
KEEP_ALIVE_S: Final = 15
STOP_TIMEOUT_S: Final = 3

# It announces what the service's own log says already.
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


@final
class _Protocol(HttpToolsProtocol):
    """HTTP as it is spoken with us; what is none is answered with a problem, as everything else is."""

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, and hang up."""
        body = malformed_body(msg)
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        more = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        self.transport.write(f"{head}{more}connection: close\r\n\r\n".encode() + body)
        self.transport.close()


@final
class _Server(uvicorn.Server):
    """The server, leaving signals to the service's runtime."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Install nothing."""
        yield


@final
class ApiServer:
    """Listens on the configured address until stopped."""

    def __init__(self, application: Application, listening: Listening) -> None:
        self._listening: Final = listening
        self._server: Final = _Server(
            uvicorn.Config(
                application,
                lifespan="off",
                http=_Protocol,
                ws="websockets-sansio",
                ws_max_size=MESSAGE_BYTES_MAX,
                ws_per_message_deflate=False,  # compressing for each reader anew would cost more than it saves
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_TIMEOUT_S,
            )
        )
        self._socket: socket.socket | None = None
        self._ended: Final = asyncio.Event()

    def listen(self) -> Address:
        """Take the address, and return it with the port that was chosen if it was 0. Raises CannotListen."""
        wanted = self._listening.address
        family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((wanted.host, wanted.port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise CannotListen(self._listening, error) from error
        listener.setblocking(False)
        self._socket = listener
        return Address(wanted.host, int(listener.getsockname()[1]))

    async def run(self) -> None:
        """Serve until ``stop``; ``listen`` comes first."""
        assert self._socket is not None, "listen first"
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()
            self._ended.set()

    async def stop(self) -> None:
        """Answer what was begun, within some seconds, then close."""
        self._server.should_exit = True
        if self._socket is not None:
            await self._ended.wait()
