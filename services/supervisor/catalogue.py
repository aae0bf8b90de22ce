"""What the supervisor runs: the four services, in the order in which they are stopped."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from services.runtime import ServiceName


@dataclass(frozen=True, slots=True)
class Program:
    """A program to keep running. `argv` gets the configuration by environment (`TRADEBUS_CONFIG`)."""

    name: ServiceName
    argv: Sequence[str] = field(default=())

    @property
    def command(self) -> tuple[str, ...]:
        """The command line: as given, else the service's own entry point."""
        return tuple(self.argv) or (sys.executable, "-m", f"services.{self.name}")


SERVICES: Final = (Program("market"), Program("engine"), Program("execution"), Program("audit"))
"""Stopped in this order: first what feeds, then what decides, then what carries out, last what records it all."""
