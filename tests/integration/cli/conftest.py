"""A real server."""

from tests.support.nats_server import nats_server, new_nats_server, unique

__all__ = ["nats_server", "new_nats_server", "unique"]
