"""Say what every inlet of the engine needs: somewhere to put events, and somewhere to put what is none."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent


class Loop(Protocol):
    """What processes events, one at a time."""

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object | None:
        """Process an event now; none if the engine has ended. Raises InvalidEvent for one that does not fit it.

        ``event_bytes`` are the event's own bytes as they came, if it came encoded.
        """


class RunLoop(Loop, Protocol):
    """One that takes market events on end, too."""

    def step_run(self, events: list[MarketEvent], encoded: list[bytes], begin: int) -> int:
        """Process market events from ``begin`` on, with the bytes they came in; return the place behind the last.

        What stands there is for ``step``, which takes or refuses it.
        """


Reject: TypeAlias = Callable[[str, bytes, str], None]
"""Keeps what cannot be used: subject, payload, reason."""
