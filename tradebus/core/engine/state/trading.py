"""Hold whether the engine may decide on orders of its own."""

from enum import Enum


class TradingState(Enum):
    """Algorithmic trading on or off; market and account events are processed in both."""

    ENABLED = 1
    DISABLED = 2
