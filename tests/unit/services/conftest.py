"""Services that meet on a memory bus."""

from tests.support.memory_bus import bus, other_bus

__all__ = ["bus", "other_bus"]
