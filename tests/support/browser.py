"""A real browser, and a proxy that cuts its connections."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = "/usr/bin/chromium"


def chromium() -> str:
    """Return Debian's Chromium; skip the test where there is none, unless there must be one."""
    found = shutil.which(CHROMIUM) or shutil.which("chromium")
    if found is None:
        if os.environ.get("TRADEBUS_REQUIRE_CHROMIUM"):
            pytest.fail("TRADEBUS_REQUIRE_CHROMIUM is set, and there is no chromium: apt-get install chromium")
        pytest.skip("there is no chromium here: apt-get install chromium")
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run a browser without a window."""
    path = chromium()
    async with async_playwright() as playwright:
        # The sandbox needs rights that a container does not have; what is opened is our own.
        running = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield running
        finally:
            await running.close()


class CuttingProxy:
    """Passes connections on to an address, until they are cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self.url = ""
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> int:
        """Cut every connection, in the middle of whatever is on its way; return how many there were."""
        count = len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        return count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there}
        for source, sink in ((reader, there), (there_reader, writer)):
            task = asyncio.create_task(_pipe(source, sink))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # cut, by us or by one of the two
        while data := await source.read(4096):
            sink.write(data)
            await sink.drain()
    sink.close()
