"""The engine service as a process of its own, started by a test."""

import asyncio
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from services.runtime.ports import free_ports
from tradebus.config import Settings, toml

END_LIMIT_S = 30.0


class EngineProcess:
    """One run of ``python -m services.engine``; ends, however it has to, with the ``async with`` block."""

    def __init__(self, settings: Settings, folder: Path, name: str) -> None:
        (port,) = free_ports(1)
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = folder / f"{name}.log"
        self._config = folder / f"{name}.toml"
        self._config.write_text(toml.dump(settings.as_data()))
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "TRADEBUS_CORE": "interpreted",
            "TRADEBUS_CONFIG": str(self._config),
            "TRADEBUS__RUNTIME__HTTP__ENGINE": f"127.0.0.1:{port}",
            "TRADEBUS__RUNTIME__INSTANCE": name,
            "TRADEBUS__RUNTIME__DATA_DIR": str(folder / name),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.engine", env=self._environment, stdout=log, stderr=log
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            await self.process.wait()

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "started"
        return self._process

    @property
    def said(self) -> str:
        """Return the log so far."""
        return self.log_path.read_text()

    def send(self, which: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(which)

    async def ended(self) -> int:
        """Return its exit code when it has ended."""
        return await asyncio.wait_for(self.process.wait(), END_LIMIT_S)

    async def status(self) -> dict[str, Any]:
        """Return what it says of itself, nothing while it does not answer."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/status") as answer:
                found: dict[str, Any] = await answer.json()
                return found
        except aiohttp.ClientConnectionError:
            return {}
