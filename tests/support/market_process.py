"""The market service as a process of its own, started by a test."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from services.runtime.ports import free_ports
from tests.support.waiting import eventually
from tradebus.config import Settings, toml

START_LIMIT_S = 30.0


class MarketProcess:
    """One run of ``python -m services.market``; ends, in order, with the ``async with`` block."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = folder / "market.log"
        self._config = folder / "tradebus.toml"
        self._environment = {"TRADEBUS__RUNTIME__HTTP__MARKET": f"127.0.0.1:{port}"}
        self._config.write_text(toml.dump(settings.as_data()))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(self.process.wait(), START_LIMIT_S)

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "started"
        return self._process

    async def start(self) -> None:
        """Start it, again if it has ended."""
        environment = {"PATH": "/usr/bin:/bin", "TRADEBUS_CONFIG": str(self._config), **self._environment}
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.market", env=environment, stdout=log, stderr=log
            )

    async def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), START_LIMIT_S)

    async def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        await self.process.wait()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of a page; 0 while nobody listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientConnectionError:
            return 0, {}

    async def status(self, feed: str) -> dict[str, Any]:
        """Return what the service says of a feed, nothing while it does not say anything."""
        _, body = await self.get("/status")
        found: dict[str, Any] = body.get("data", {}).get("feeds", {}).get(feed, {})
        return found

    async def wait_ready(self) -> None:
        """Wait until it says that it is ready."""
        await self._wait_for(200)

    async def wait_not_ready(self) -> None:
        """Wait until it says that it is not ready."""
        await self._wait_for(503)

    async def _wait_for(self, wanted: int) -> None:
        async with asyncio.timeout(START_LIMIT_S):
            while (await self.get("/health/ready"))[0] != wanted:
                assert self.process.returncode is None, f"ended: {self.log_path.read_text()}"
                await asyncio.sleep(0.02)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        lines = [json.loads(text) for text in self.log_path.read_text().splitlines() if text.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def wait_logged(self, event: str) -> None:
        """Wait for a log line."""
        await eventually(lambda: self.logged(event), event)
