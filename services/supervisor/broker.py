"""The embedded NATS server under the supervisor: started first, stopped last, started again when it dies."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final, final

from tradebus.bus.server import EmbeddedServer, ServerSettings
from tradebus.config import Settings

ROOM_BYTES: Final = 4 * 1024 * 1024
"""With less there is nothing to try: what a server writes to begin with, and some seconds of journals."""

_LAUNCHER: Final = Path(__file__).with_name("launch.py")


@final
class Broker:
    """The server at the address that the settings name; port 0 takes a free one. `users` is their configuration.

    `start` and `stop` block for some tens of milliseconds. They are called from the main thread on purpose: the
    kernel ends the server when the *thread* that started it is gone.
    """

    def __init__(self, settings: Settings, users: str = "") -> None:
        store_dir = settings.nats.store_dir
        assert store_dir is not None, "settled"
        self._folder: Final = store_dir
        self._server: Final = EmbeddedServer(
            ServerSettings(
                folder=store_dir,
                port=settings.nats.address.port,
                # Asked by the engine whether every write is synced, and by the watch whether all can be written.
                monitoring_port=0,
                sync_always=settings.nats.sync_always,
                extra=users,
                command_prefix=(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())),
            )
        )

    @property
    def url(self) -> str:
        """Where clients connect; known once started."""
        return self._server.url

    @property
    def monitoring_url(self) -> str | None:
        """Where the server tells of its settings and health; known once started."""
        return self._server.monitoring_url

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return self._server.pid

    @property
    def log_file(self) -> Path:
        """Where the server logs."""
        return self._server.log_file

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self._server.pid is not None and self._server.poll() is None

    @property
    def has_room(self) -> bool:
        """Whether the disk of the streams has room enough to go on with."""
        return shutil.disk_usage(self._folder).free >= ROOM_BYTES

    def start(self) -> None:
        """Start the server on what its store holds. Raises tradebus.bus.server.ServerError, OSError."""
        self._server.start()

    def stop(self) -> None:
        """Stop the server, by force if it does not."""
        self._server.stop()

    def kill(self) -> None:
        """Kill the server as a crash would."""
        self._server.kill()
