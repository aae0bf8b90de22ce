"""Say which side: of an order, of the aggressor in a trade, and of a position (BUY is long)."""

from enum import Enum


class Side(Enum):
    """Buy or sell."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> "Side":
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    def __str__(self) -> str:
        """Print lower case, as the reference does."""
        return self.name.lower()


_SIDES = {
    "Buy": Side.BUY,
    "buy": Side.BUY,
    "BUY": Side.BUY,
    "b": Side.BUY,
    "Sell": Side.SELL,
    "sell": Side.SELL,
    "SELL": Side.SELL,
    "s": Side.SELL,
}


def parse_side(text: str) -> Side:
    """Return the side written as Buy, buy, BUY, b, Sell, sell, SELL or s; raises ValueError for any other text."""
    side = _SIDES.get(text)
    if side is None:
        raise ValueError(f"expected a side (buy or sell), found {text!r}")
    return side
