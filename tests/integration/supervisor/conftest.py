import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from services.runtime import ServiceName
from services.supervisor import Progress, RestartPolicy, Supervisor
from services.supervisor.catalogue import Program
from tradebus.config import Flags, Settings, load

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
QUICK = RestartPolicy(wait_initial_s=0.02, wait_max_s=0.05, crashes_max=2, window_s=60)

CONFIG = """
    [[instruments]]
    exchange = "sim_alpha"
    name_exchange = "BTCUSDT"
    underlying = { base = "btc", quote = "usdt" }
    [execution.sim_alpha]
    connector = "simulated"
    balances = { usdt = "1000", btc = "0" }
    [nats.streams]
    audit_bytes = 8388608
    account_bytes = 8388608
    command_bytes = 8388608
    dead_letter_bytes = 8388608
    [runtime]
    stop_timeout_ms = 5000
"""


class Told(Progress):
    """Remembers what a person would have been told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, who: str, what: str, detail: str = "") -> None:
        self.lines.append(f"{who} {what} {detail}".strip())

    def warn(self, who: str, what: str, detail: str = "") -> None:
        self.lines.append(f"! {who} {what} {detail}".strip())

    def told(self, beginning: str) -> bool:
        return any(line.startswith(beginning) for line in self.lines)


class Bench:
    """Makes supervisors of fake services and stops them again."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.folder = folder
        self.config = config
        self.told = Told()
        self._made: list[Supervisor] = []

    def settings(self, **settings: str) -> Settings:
        flags = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
        return load(Flags(self.config, settings=flags), {}).settings

    def make(
        self, *names: ServiceName, settings: Settings | None = None, fresh: bool = False, **behaviour: str
    ) -> Supervisor:
        supervisor = Supervisor(
            settings or self.settings(),
            data_dir=self.folder,
            any_ports=True,
            environment=fake_environment(**behaviour),
            programs=[Program(name, (sys.executable, str(HERE / "fake_service.py"), name)) for name in names],
            progress=self.told,
            policy=QUICK,
            fresh=fresh,
        )
        self._made.append(supervisor)
        return supervisor

    async def close(self) -> None:
        for supervisor in self._made:
            await supervisor.stop()


def fake_environment(**behaviour: str) -> dict[str, str]:
    """Return what a fake service finds its modules and its behaviour by: `market="deaf"`, `trace="file"`."""
    return {"PYTHONPATH": str(ROOT), **{f"FAKE_{name.upper()}": value for name, value in behaviour.items()}}


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Return when the condition holds; fail when that takes too long."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Do the same without an event loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "has not happened in time"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or only waits to be collected."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tradebus.toml"
    path.write_text(textwrap.dedent(CONFIG))
    return path


@pytest.fixture
async def bench(tmp_path: Path, config: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "data", config)
    yield made
    await made.close()


Started = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]


@pytest.fixture
def started(tmp_path: Path) -> Started:
    """Start a program and make sure that it has ended afterwards; its output goes to `said.txt`."""

    @contextmanager
    def start(*argv: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEBUS_")}
        with (tmp_path / "said.txt").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, *argv],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=inherited | environment,
                cwd=ROOT,
                text=True,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()

    return start
