"""A real NATS server for tests: one per test run to share, and others for the tests that kill theirs.

Use it in a folder by importing the fixtures into its ``conftest.py``::

    from tests.support.nats_server import nats_server, new_nats_server, unique

Tests share the server, so they take names of their own from ``unique`` and provision what they need.
"""

import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.provision import provision
from tradebus.bus.server import EmbeddedServer, ServerSettings
from tradebus.bus.topology import MIB, Sizes, Topology, topology

TEST_SIZES = Sizes(audit=8 * MIB, account=2 * MIB, commands=MIB, dead_letters=2 * MIB, bucket=MIB, snapshots=4 * MIB)
"""Small: a server reserves all of it, and the shared one holds the streams of every test of a run."""

FREEZE_LIMIT_S = 5.0

_numbers = itertools.count(1)


class NatsServer:
    """A running server and what tests do to it."""

    def __init__(self, folder: Path, extra: str = "", *, sync_always: bool = True) -> None:
        self.embedded = EmbeddedServer(ServerSettings(folder, monitoring_port=0, extra=extra, sync_always=sync_always))
        self.embedded.start()

    @property
    def url(self) -> str:
        return self.embedded.url

    @property
    def monitoring_url(self) -> str:
        url = self.embedded.monitoring_url
        assert url is not None
        return url

    def options(
        self,
        service: str = "test",
        *,
        user: str | None = None,
        password: str | None = None,
        ping_interval_s: float = 1.0,
    ) -> NatsOptions:
        """Return how a service connects to this server."""
        return NatsOptions((self.url,), service, user=user, password=password, ping_interval_s=ping_interval_s)

    async def provision(
        self, engines: tuple[str, ...] = (), accounts: tuple[str, ...] = (), *, options: NatsOptions | None = None
    ) -> Topology:
        """Make the streams of these engines and accounts, small ones, and the shared buckets."""
        wanted = topology(engines, accounts, TEST_SIZES)
        await provision(options or self.options("provision"), wanted)
        return wanted

    def kill(self) -> None:
        """Kill it without warning."""
        self.embedded.kill()

    def start(self) -> None:
        """Start it again on the same port with the same streams."""
        self.embedded.start()

    def freeze(self) -> None:
        """Stop it from running while its connections stay open, and return when none of its threads runs."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + FREEZE_LIMIT_S
        while not self._is_stopped():
            assert time.monotonic() < deadline, "the server still runs"
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let it run again."""
        self._signal(signal.SIGCONT)

    def leave(self) -> None:
        """Make it announce that it is about to stop (lame duck mode)."""
        self._signal(signal.SIGUSR2)

    def stop(self) -> None:
        self.embedded.stop()

    def _is_stopped(self) -> bool:
        threads = Path(f"/proc/{self.embedded.pid}/task").glob("*/stat")
        return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.embedded.pid
        assert pid is not None
        os.kill(pid, number)


class ServerFactory(Protocol):
    """Starts a server of the test's own."""

    def __call__(self, extra: str = "", *, sync_always: bool = True) -> NatsServer: ...


@pytest.fixture(scope="session")
def nats_server() -> Iterator[NatsServer]:
    """One server for the whole run; never kill it."""
    folder = Path(tempfile.mkdtemp(prefix="tradebus-nats-"))
    server = NatsServer(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def new_nats_server() -> Iterator[ServerFactory]:
    """Servers that belong to one test, which may kill them."""
    servers: list[NatsServer] = []
    folders: list[Path] = []

    def start(extra: str = "", *, sync_always: bool = True) -> NatsServer:
        folders.append(Path(tempfile.mkdtemp(prefix="tradebus-nats-")))
        server = NatsServer(folders[-1], extra, sync_always=sync_always)
        servers.append(server)
        return server

    try:
        yield start
    finally:
        for server in servers:
            server.stop()
        for folder in folders:
            shutil.rmtree(folder)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test of this run has: ``unique("engine")`` gives ``engine-17``."""

    def name(prefix: str) -> str:
        return f"{prefix}-{next(_numbers)}"

    return name
