"""Generate the trades and quotes of one simulated instrument."""

import math
from decimal import Decimal
from random import Random
from typing import Final

from services.market.flow.latent import STEP_NS, latent_ratio
from services.market.flow.params import FlowParams, Grid, grid_of, quote_worth, start_price
from services.market.flow.top_of_book import TopOfBook, draw_lots
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.side import Side

ORDER_SHARE: Final = 0.25
"""Aggressive orders per event: each gives a trade and the quote after it; as many events again are mere quotes."""

_NS_PER_MS: Final = 1_000_000
_SAME_SIDE: Final = 0.75  # of triggered orders repeat their trigger's side: somebody works a larger order
_CONVICTION: Final = 1.5  # how strongly a mispriced book attracts takers, per half spread of mispricing
_MISPRICING_MAX: Final = 3.0  # in half spreads; beyond it nobody pushes the price further away


class InstrumentFlow:
    """Market microstructure of one instrument, driven by its owner's clock; times in nanoseconds since the epoch.

    ``base_rate`` is the rate of spontaneous orders and ``quote_rate`` that of quotes, both a second in a market of
    usual volatility; orders triggered by others come on top.
    """

    def __init__(self, instrument: Instrument, seed: int, params: FlowParams, rate: float, start_ns: int) -> None:
        definition = instrument.definition
        price = start_price(instrument, params.start_prices)
        self._rng: Final = Random(f"{seed}/{definition.name_internal}/orders")  # noqa: S311 - a seeded simulation
        self._instrument: Final = instrument
        self._market_seed: Final = params.market_seed
        self._base: Final = definition.base.name_internal
        self._quote: Final = definition.quote.name_internal
        self._lag_ns: Final = params.lag_ns
        self._grid: Final[Grid] = grid_of(instrument, price)
        self._usual_ticks: Final = float(price / self._grid.tick)
        self._half_spread: Final = self._usual_ticks * params.half_spread_bps / 10_000
        lots_per_usd = 1 / (float(price * self._grid.lot) * quote_worth(instrument))
        self._order_lots: Final = params.order_notional * lots_per_usd
        self._book: Final = TopOfBook(self._grid, params.level_notional * lots_per_usd, self._rng)
        self.base_rate: Final = rate * ORDER_SHARE * (1 - params.branching)
        self.quote_rate: Final = rate * (1 - 2 * ORDER_SHARE)
        self._cell_end_ns = -1
        self._cell_offset = self._cell_slope = self._volatility = 0.0
        self._sequence = 0
        # Ids go on above those of an earlier start, as a venue's do.
        # Of the millisecond, because a process that was killed may be back within the second.
        self._trade_id = start_ns // _NS_PER_MS * 1_000

    def opening(self, time_ns: int, received_ns: int) -> MarketEvent:
        """Return the first quote, both sides around the latent price."""
        self._book.place(self._fair(time_ns), self._half_spread_now())
        return self._l1(time_ns, received_ns)

    def quote(self, time_ns: int, received_ns: int) -> MarketEvent:
        """Return the best bid and ask after one quoter acted."""
        self._book.quote(self._fair(time_ns), self._half_spread_now())
        return self._l1(time_ns, received_ns)

    def order(self, side: Side | None, time_ns: int, received_ns: int, out: list[MarketEvent]) -> Side:
        """Append the trade of one aggressive order and the quote after it; return the aggressor's side.

        ``side`` is that of the order that triggered it, none for a spontaneous one.
        """
        fair = self._fair(time_ns)
        half_spread = self._half_spread_now()
        book, rng = self._book, self._rng
        mispricing = (fair - (book.bid + book.ask) / 2) / half_spread
        if (
            side is None
            or rng.random() > _SAME_SIDE
            or (mispricing if side is Side.SELL else -mispricing) > _MISPRICING_MAX
        ):
            pull = max(-20.0, min(20.0, _CONVICTION * mispricing))
            side = Side.BUY if rng.random() < 1 / (1 + math.exp(-pull)) else Side.SELL
        price, lots = book.take(side, draw_lots(rng, self._order_lots, self._grid.lots_min), half_spread)
        self._trade_id += 1
        self._sequence += 1
        grid = self._grid
        trade = PublicTrade(str(self._trade_id), Decimal(price) * grid.tick, Decimal(lots) * grid.lot, side)
        instrument = self._instrument
        out.append(MarketEvent(time_ns, received_ns, instrument.exchange, instrument.index, self._sequence, trade))
        out.append(self._l1(time_ns, received_ns))
        return side

    def activity(self, time_ns: int) -> float:
        """Return how busy the market is, one on average: storms attract orders and quotes."""
        if time_ns - self._lag_ns >= self._cell_end_ns:
            self._fair(time_ns)
        return 0.5 + 0.5 * self._volatility

    def _fair(self, time_ns: int) -> float:
        """Return the latent price in ticks, as this exchange sees it."""
        seen_ns = time_ns - self._lag_ns
        if not self._cell_end_ns - STEP_NS <= seen_ns < self._cell_end_ns:
            start_ns = seen_ns // STEP_NS * STEP_NS
            left = latent_ratio(self._market_seed, self._base, self._quote, start_ns)
            right = latent_ratio(self._market_seed, self._base, self._quote, start_ns + STEP_NS)
            self._cell_end_ns = start_ns + STEP_NS
            self._cell_offset = right.offset
            self._cell_slope = (right.offset - left.offset) / STEP_NS
            self._volatility = left.volatility
        return self._usual_ticks * math.exp(self._cell_offset - self._cell_slope * (self._cell_end_ns - seen_ns))

    def _half_spread_now(self) -> float:
        """Return the distance that quoters keep now, in ticks: wider in a wild market, never below half a tick."""
        view = 0.8 + 0.4 * self._rng.random()
        return max(0.5, self._half_spread * (0.5 + 0.5 * self._volatility) * view)

    def _l1(self, time_ns: int, received_ns: int) -> MarketEvent:
        self._sequence += 1
        tick, lot, book = self._grid.tick, self._grid.lot, self._book
        data = BookL1(
            Level(Decimal(book.bid) * tick, Decimal(book.bid_lots) * lot),
            Level(Decimal(book.ask) * tick, Decimal(book.ask_lots) * lot),
        )
        instrument = self._instrument
        return MarketEvent(time_ns, received_ns, instrument.exchange, instrument.index, self._sequence, data)
