"""The audit service as a process of its own, started by a test."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from services.runtime.ports import free_ports
from tests.support.audit_settings import audit_settings
from tests.support.system import until
from tradebus.config import toml

START_LIMIT_S = 30.0
HONEST = "services.audit"
TAMPERED = "tests.support.tampered_audit"


class AuditProcess:
    """One run of the service; ends, in order, with the ``async with`` block."""

    def __init__(
        self, engine: str, nats_url: str, folder: Path, module: str = HONEST, audit: dict[str, Any] | None = None
    ) -> None:
        api, internal, grpc = free_ports(3)
        self.url = f"http://127.0.0.1:{api}"
        self.grpc_target = f"127.0.0.1:{grpc}"
        self.internal_url = f"http://127.0.0.1:{internal}"
        self.log_path = folder / "audit.log"
        self._module = module
        self._config = folder / "audit.toml"
        settings = audit_settings(
            engine,
            api={"listen": f"127.0.0.1:{api}", "grpc_listen": f"127.0.0.1:{grpc}", "reading_without_key": True},
            nats={"url": nats_url},
            audit={"sync_ms": 20, "prune": False, **(audit or {})},
            runtime={"http": {"audit": f"127.0.0.1:{internal}"}, "data_dir": folder},
        )
        self._config.write_text(toml.dump(settings.as_data()))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            await self.stop()

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "started"
        return self._process

    async def start(self) -> None:
        """Start it, again if it has ended."""
        environment = {"PATH": "/usr/bin:/bin", "TRADEBUS_CONFIG": str(self._config)}
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, env=environment, stdout=log, stderr=log
            )

    async def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Return the exit code once it has ended."""
        return await asyncio.wait_for(self.process.wait(), START_LIMIT_S)

    async def kill(self) -> None:
        """Kill it without warning."""
        self.process.kill()
        await self.process.wait()

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of a page of the API; 0 while nobody listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
                return answer.status, await answer.json(content_type=None)
        except aiohttp.ClientConnectionError:
            return 0, {}

    async def status(self) -> dict[str, Any]:
        """Return the service's own figures."""
        _, body = await self.get("/status")
        found: dict[str, Any] = body.get("data", {})
        return found

    async def wait_sequence(self, sequence: int) -> None:
        """Wait until the replica has applied a tick."""

        async def reached() -> bool:
            assert self.process.returncode is None, f"ended: {self.logged_text()}"
            return int((await self.status()).get("sequence", -1)) >= sequence

        await until(reached, f"the replica at {sequence}", START_LIMIT_S)

    async def wait_ready(self, wanted: int = 200) -> dict[str, Any]:
        """Wait until the health answer has a status, 200 unless told otherwise, and return its body."""

        async def answered() -> dict[str, Any] | None:
            assert self.process.returncode is None, f"ended: {self.logged_text()}"
            status, body = await self.get("/health/ready")
            return body if status == wanted else None

        found: dict[str, Any] = await until(answered, f"health {wanted}", START_LIMIT_S)
        return found

    def logged_text(self) -> str:
        return self.log_path.read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        lines = [json.loads(text) for text in self.logged_text().splitlines() if text.startswith("{")]
        return [line for line in lines if line.get("event") == event]
