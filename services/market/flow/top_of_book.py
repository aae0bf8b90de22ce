"""Keep the best bid and ask of one simulated instrument: whole ticks and lots, always uncrossed.

What holds after every call: ``ticks_min <= bid < ask`` and at least ``lots_min`` stand on either side. Quoters
follow a fair price that they believe in; takers take from the best level, and an emptied level uncovers the next.
"""

from random import Random
from typing import Final

from services.market.flow.params import Grid
from tradebus.core.model.side import Side

_BOTH_SIDES: Final = 0.3  # of the quotes move both sides, as market makers do
_BID_ONLY: Final = 0.6
_ASK_ONLY: Final = 0.9  # the rest only change a size
_GAP_SHARE: Final = 0.5  # of the half spread: mean distance to the level behind the best
_SIZE_SCALE: Final = 1.329  # mean of an exponential variable to the power of 1.5


class TopOfBook:
    """The best level of each side, in ticks and lots."""

    __slots__ = ("_grid", "_level_lots", "_rng", "ask", "ask_lots", "bid", "bid_lots")

    def __init__(self, grid: Grid, level_lots: float, rng: Random) -> None:
        """Start without quotes, at the lowest prices; the first ``quote`` places both sides."""
        self._grid: Final = grid
        self._level_lots: Final = level_lots
        self._rng: Final = rng
        self.bid = grid.ticks_min
        self.ask = grid.ticks_min + 1
        self.bid_lots = self.ask_lots = grid.lots_min

    def place(self, fair: float, half_spread: float) -> None:
        """Quote both sides ``half_spread`` around ``fair``, all in ticks."""
        self.bid = max(self._grid.ticks_min, int(fair - half_spread))
        self.ask = max(self.bid + 1, int(fair + half_spread) + 1)
        self.bid_lots, self.ask_lots = self._size(), self._size()

    def quote(self, fair: float, half_spread: float) -> None:
        """Let one quoter act on its view of the price: move one side or both, or change a size."""
        bid = max(self._grid.ticks_min, int(fair - half_spread))
        ask = max(bid + 1, int(fair + half_spread) + 1)
        choice = self._rng.random()
        if choice < _BOTH_SIDES or bid >= self.ask or ask <= self.bid:
            self.bid, self.ask = bid, ask
            self.bid_lots, self.ask_lots = self._size(), self._size()
        elif choice < _BID_ONLY:
            self.bid = min(bid, self.ask - 1)
            self.bid_lots = self._size()
        elif choice < _ASK_ONLY:
            self.ask = max(ask, self.bid + 1)
            self.ask_lots = self._size()
        elif self._rng.random() < 0.5:
            self.bid_lots = self._size()
        else:
            self.ask_lots = self._size()

    def take(self, side: Side, lots: int, half_spread: float) -> tuple[int, int]:
        """Let an aggressor take up to ``lots`` from the best level; return the price and lots that traded.

        What would leave less than the smallest quantity takes the whole level. An emptied level uncovers the one
        behind it, at least a tick further away.
        """
        if side is Side.BUY:
            price, standing = self.ask, self.ask_lots
            taken = self._takable(lots, standing)
            self.ask_lots = standing - taken
            if taken == standing:
                self.ask += self._gap(half_spread)
                self.ask_lots = self._size()
        else:
            price, standing = self.bid, self.bid_lots
            taken = self._takable(lots, standing)
            self.bid_lots = standing - taken
            if taken == standing:
                self.bid = max(self._grid.ticks_min, price - self._gap(half_spread))
                self.bid_lots = self._size()
        return price, taken

    def _takable(self, lots: int, standing: int) -> int:
        return standing if standing - lots < self._grid.lots_min else lots

    def _gap(self, half_spread: float) -> int:
        return 1 + int(self._rng.expovariate(1.0) * half_spread * _GAP_SHARE)

    def _size(self) -> int:
        return draw_lots(self._rng, self._level_lots, self._grid.lots_min)


def draw_lots(rng: Random, mean: float, lots_min: int) -> int:
    """Return a size of about ``mean`` lots: mostly smaller, sometimes many times larger, never below ``lots_min``."""
    draw: float = rng.expovariate(1.0) ** 1.5
    return max(lots_min, int(mean / _SIZE_SCALE * draw))
