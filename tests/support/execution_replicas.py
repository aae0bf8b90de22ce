"""More processes of the execution service beside a running demo: what ``--scale execution=3`` starts in containers."""

import asyncio
import json
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.runtime.ports import free_ports
from services.supervisor import effective
from services.supervisor.process import Child
from tests.support.demo import PATIENCE_S, ROOT, Demo
from tests.support.system import until


class Replica:
    """One process: its internal address, and the signals that a test sends."""

    def __init__(self, name: str, url: str, child: Child) -> None:
        self.name = name
        self.url = url
        self.child = child

    async def status(self) -> dict[str, Any]:
        """Return what it says of itself, nothing while it does not answer."""

        def ask() -> dict[str, Any]:
            try:
                with urllib.request.urlopen(f"{self.url}/status", timeout=1) as answer:  # noqa: S310 - loopback
                    return dict(json.load(answer))
            except OSError:
                return {}

        return await asyncio.to_thread(ask)

    async def owned(self) -> list[str]:
        """Return the accounts that it says it owns, none while it does not answer."""
        accounts: dict[str, Any] = (await self.status()).get("data", {}).get("accounts", {})
        return [name for name, account in accounts.items() if account["is_owned"]]

    async def is_ready(self) -> bool:
        return (await self.status()).get("state") == "ready"

    def pause(self) -> None:
        self.child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.signal(signal.SIGCONT)

    async def kill(self) -> None:
        await self.child.kill()


@asynccontextmanager
async def replicas(demo: Demo, folder: Path, *names: str) -> AsyncIterator[list[Replica]]:
    """Run so many processes more, each ready; they end with the block."""
    config = demo.supervisor.data_dir / "run" / "tradebus.toml"
    running: list[Replica] = []
    try:
        for name, port in zip(names, free_ports(len(names)), strict=True):
            url = f"127.0.0.1:{port}"
            settings = {"TRADEBUS__RUNTIME__HTTP__EXECUTION": url, "TRADEBUS__RUNTIME__INSTANCE": name}
            environment = effective.environment(demo.settings, config, settings)
            command = (sys.executable, "-m", "services.execution")
            child = await Child.spawn(name, command, environment, ROOT, folder / f"{name}.log")
            running.append(Replica(name, f"http://{url}", child))
        for replica in running:
            await until(replica.is_ready, f"{replica.name} is ready", PATIENCE_S)
        yield running
    finally:
        for replica in running:
            await replica.child.stop(5.0)
