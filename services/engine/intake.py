"""Say what every inlet of the engine needs: somewhere to put events, and somewhere to put what is none."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from tradebus.core.engine.event_base import EngineEvent


class Loop(Protocol):
    """What processes events, one at a time."""

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object | None:
        """Process an event now; none if the engine has ended. Raises InvalidEvent for one that does not fit it.

        ``event_bytes`` are the event's own bytes as they came, if it came encoded.
        """


Reject: TypeAlias = Callable[[str, bytes, str], None]
"""Keeps what cannot be used: subject, payload, reason."""
