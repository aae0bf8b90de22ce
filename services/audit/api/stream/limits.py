"""How much streams may take: readers, memory, time."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of all streams together and of each; times in seconds.

    ``events`` and ``bytes`` bound what is kept for readers that come back or are slow. ``pulse_s`` is how often
    readers are looked after, ``at_once`` of them at a time: two hundred at once would be a burst that is felt. So each
    of two hundred has its turn ten times a second, as often as it is told of markets unless it asks for more.
    """

    readers: int = 256
    events: int = 8_192
    bytes: int = 8 * 1024 * 1024
    chunk_bytes: int = 64 * 1024
    """One reader is sent so much before the others have their turn."""
    pulse_s: float = 0.005
    at_once: int = 10
    market_s: float = 0.05
    """How often at most the market is encoded."""
    keep_alive_s: float = 10.0
    stalled_s: float = 60.0
    """A reader that takes nothing for so long is let go."""
    ask_again_s: float = 10.0
    """How often a reader's key is looked at again: it may have been revoked."""
    linger_s: float = 120.0
    """So long after the last reader has gone is kept what it may come back for."""
    retry_after_s: int = 5
    """When to come back, for whom there is no room."""
    past_ticks: int = 500_000
    """How far back from what is kept a reader may come back, in ticks that are read again from the archive."""
    past_s: float = 10.0
    past_bytes: int = 8 * 1024 * 1024
    """So much may be read again for one reader,"""
    past_readers: int = 4
    """and for so many at a time: what was read waits in memory until it is taken."""


LIMITS: Final = StreamLimits()
