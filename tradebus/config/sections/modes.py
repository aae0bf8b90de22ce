"""The four ways to run the same services."""

from enum import StrEnum


class Mode(StrEnum):
    """Where market data come from and where orders go."""

    DEMO = "demo"
    """Generated markets, simulated execution; no keys, no network."""
    REPLAY = "replay"
    """Recordings in virtual time, execution simulated beside the engine."""
    PAPER = "paper"
    """Live public feeds, simulated execution."""
    LIVE = "live"
    """Live feeds, orders to venue accounts."""
