"""Servers that a test may kill, and buses to look at them with."""

from tests.support.bus_clients import connect
from tests.support.nats_server import new_nats_server

__all__ = ["connect", "new_nats_server"]
