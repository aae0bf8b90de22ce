"""The client library, with the parts replaced that lose, repeat or block.

Everything that depends on its inner workings stands here; ``tests/integration/bus`` kills, freezes and restarts servers
under it. What differs and why:

- ``send`` writes to the outbound buffer without being awaited; the library's ``publish`` is a coroutine.
- ``discard_outbound``: what was not yet written when a connection was lost would go out on the next one, so that a
  request given up minutes ago is carried out then.
- A connection that was lost is dropped at once. The library first waits until a frozen server has taken all that is
  buffered for it, and meanwhile does not reconnect.
- ``ping`` stands behind what was sent before it. The library's ``flush`` overtakes it, and when it times out, a late
  answer ends the read loop while the connection still calls itself connected (hence ``_process_pong`` too).
- ``end``: the library's ``close`` raises or waits during an outage, and can leave a reconnection going on.
- ``broken_part`` and ``reconnect_now``: some errors end one of the library's tasks silently.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, final
from urllib.parse import ParseResult

from nats.aio.client import Client
from nats.aio.transport import TcpTransport

READ_BUFFER_BYTES: Final = 256 * 1024
CANCEL_ATTEMPTS: Final = 20
CANCEL_WAIT_S: Final = 0.05
_PING: Final = b"PING\r\n"


@final
class DroppingTransport(TcpTransport):
    """The library's transport, except that a connection given up is dropped and not flushed."""

    def __init__(self, is_closing: Callable[[], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._is_closing: Final = is_closing

    def __bool__(self) -> bool:
        return True  # else the library puts its own in our place at the first connection

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Open a connection, dropping the one of an attempt that failed half-way."""
        self.drop()
        await super().connect(uri, max(buffer_size, READ_BUFFER_BYTES), connect_timeout)

    def close(self) -> None:
        """Close in order when asked to, drop the connection when it was lost."""
        if self._is_closing():
            super().close()  # type: ignore[no-untyped-call]
        else:
            self.drop()

    async def wait_closed(self) -> None:
        """Wait for an orderly close; there is nothing to wait for when the connection was dropped.

        Shielded: up to Python 3.11 who is cancelled here cancels it for everybody who waits after him.
        """
        if self._is_closing():
            await asyncio.shield(super().wait_closed())  # type: ignore[no-untyped-call]

    def drop(self) -> None:
        """Close without sending what is buffered."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()


@final
class LinkClient(Client):
    """One connection of the client library with the replaced parts."""

    def __init__(self) -> None:
        super().__init__()
        self._link_transport: Final = DroppingTransport(lambda: self.is_closed)
        self._transport = self._link_transport

    @property
    def server_info(self) -> dict[str, Any]:
        """Return what the server said of itself when it greeted us."""
        return self._server_info

    @property
    def is_silent(self) -> bool:
        """Tell whether the server has left more pings unanswered than allowed, by which a connection is given up."""
        return bool(self._pings_outstanding > self.options["max_outstanding_pings"])

    @property
    def outbound_bytes(self) -> int:
        """Return how much waits to be written."""
        return self._pending_data_size

    def send(self, command: bytes) -> None:
        """Write a command in the next turn of the loop, together with others; the connection must stand."""
        queue = self._flush_queue
        assert queue is not None, "connect first"
        self._pending.append(command)
        self._pending_data_size += len(command)
        if queue.empty():
            queue.put_nowait(asyncio.Future())

    def ping(self, pong: "asyncio.Future[bool]") -> None:
        """Write all that waits and a ping behind it; ``pong`` is set when the server has got that far.

        ``pong`` must not be cancelled. Raises OSError or RuntimeError when the connection is already gone.
        """
        waiting, self._pending, self._pending_data_size = self._pending, [], 0
        self._pongs.append(pong)
        self._link_transport.writelines([*waiting, _PING])  # type: ignore[no-untyped-call]

    async def _process_pong(self) -> None:
        """Settle the oldest ping; the library's own way ends its read loop if nobody waits for it any more."""
        if self._pongs:
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(True)
            self._pongs_received += 1
            self._pings_outstanding = 0

    def discard_outbound(self) -> None:
        """Forget what was not yet written."""
        self._pending = []
        self._pending_data_size = 0

    async def end(self, timeout_s: float) -> None:
        """Close within ``timeout_s``, in order if possible. Never raises."""
        closing = asyncio.get_running_loop().create_task(self.close())
        await asyncio.wait({closing}, timeout=timeout_s)
        tasks = {closing, self._reading_task, self._flusher_task, self._ping_interval_task, self._reconnection_task}
        await cancel_for_good({task for task in tasks if task is not None})
        if closing.done() and not closing.cancelled():
            # During an outage the library's close raises; there is nothing left to save.
            closing.exception()
        self._link_transport.drop()
        await asyncio.sleep(0)

    def broken_part(self) -> str | None:
        """Return which of the library's tasks ended although it is needed, None while all is well."""
        if self.is_closed:
            return None
        if self.is_connected:
            tasks = {
                "reading": self._reading_task,
                "writing": self._flusher_task,
                "pinging": self._ping_interval_task,
            }
        else:
            tasks = {"reconnecting": self._reconnection_task}
        return next((name for name, task in tasks.items() if task is None or task.done()), None)

    def reconnect_now(self) -> None:
        """Begin to reconnect, whatever the library believes of its connection."""
        self._status = Client.RECONNECTING
        self._ps.reset()
        self._reconnection_task = asyncio.get_running_loop().create_task(self._attempt_reconnect())


async def cancel_for_good(tasks: "set[asyncio.Task[None]]") -> None:
    """Cancel tasks of the client library until they have ended.

    Once is not always enough: the library catches a cancellation while it flushes and goes on, and up to Python 3.11
    ``asyncio.wait_for`` forgets one that comes in the same turn as the result.
    """
    running = tasks - {asyncio.current_task()}
    for _ in range(CANCEL_ATTEMPTS):
        running = {task for task in running if not task.done()}
        if not running:
            return
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=CANCEL_WAIT_S)
