"""Say what a simulated exchange's flow is like, and what an instrument costs where the configuration is silent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from services.market.flow.latent import STABLE_ASSETS
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.instrument import Instrument, InstrumentSpec

_USUAL_PRICES: Final = {
    "btc": Decimal(60000),
    "eth": Decimal(2600),
    "sol": Decimal(150),
    "bnb": Decimal(550),
    "ltc": Decimal(70),
    "avax": Decimal(25),
    "link": Decimal(12),
    "xrp": Decimal("0.6"),
    "ada": Decimal("0.4"),
    "doge": Decimal("0.12"),
}
_USUAL_PRICE: Final = Decimal(100)
_LAGS_NS: Final = {ExchangeId.SIM_BETA: 150_000_000}


@dataclass(frozen=True)
class FlowParams:
    """The character of one exchange's flow. Rates are per second, over all instruments of the exchange."""

    events_per_s: float = 200.0
    """Trades and quotes together, in the long run; bursts exceed it."""
    start_prices: Mapping[str, Decimal] = field(default_factory=dict)
    """Price around which an instrument moves, by internal name of its base, in its quote."""
    market_seed: int = 0
    """Seed of the latent prices. Exchanges that quote one market have it in common, whatever their own seeds."""
    lag_ns: int = 0
    """How much later than the market this exchange sees the latent price: a follower's is above zero."""
    branching: float = 0.6
    """Orders that one order triggers on average; below one, or bursts would never end."""
    response_ns: int = 40_000_000
    """Mean time from an order to one that it triggers."""
    half_spread_bps: float = 0.4
    """Distance of each side from the latent price in a market of usual volatility, in 1/100 of a per cent."""
    level_notional: float = 20_000.0
    """Mean worth of what stands at the best price, in quote currency (in US dollars where the quote is a coin)."""
    order_notional: float = 2_500.0
    """Mean worth of an aggressive order, likewise."""

    def __post_init__(self) -> None:
        """Refuse what would not give a flow. Raises ValueError naming the parameter."""
        if not 0 <= self.branching <= 0.95:
            raise ValueError(f"branching: expected 0 to 0.95, found {self.branching}")
        for name in ("events_per_s", "response_ns", "half_spread_bps", "level_notional", "order_notional"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name}: expected a number above 0, found {value}")
        if self.lag_ns < 0:
            raise ValueError(f"lag_ns: expected 0 or more, found {self.lag_ns}")
        for asset, price in self.start_prices.items():
            if not price > 0:
                raise ValueError(f"start_prices.{asset}: expected a price above 0, found {price}")


@dataclass(frozen=True)
class Grid:
    """The steps an instrument trades in: prices are whole multiples of ``tick``, amounts of ``lot``."""

    tick: Decimal
    lot: Decimal
    ticks_min: int
    lots_min: int


def lag_of(exchange: ExchangeId) -> int:
    """Return how far an exchange follows the market, in nanoseconds: ``sim_beta`` does, all others lead."""
    return _LAGS_NS.get(exchange, 0)


def start_price(instrument: Instrument, given: Mapping[str, Decimal]) -> Decimal:
    """Return the price an instrument moves around: as given for its base, else from usual prices of base and quote."""
    base, quote = instrument.definition.base.name_internal, instrument.definition.quote.name_internal
    if base in given:
        return given[base]
    return _usual_price(base) / _usual_price(quote)


def quote_worth(instrument: Instrument) -> float:
    """Return what one unit of an instrument's quote asset is worth, in US dollars."""
    return float(_usual_price(instrument.definition.quote.name_internal))


def grid_of(instrument: Instrument, price: Decimal) -> Grid:
    """Return the steps of an instrument: those of its specification, else about a millionth of the price."""
    spec: InstrumentSpec | None = instrument.definition.spec
    magnitude = math.floor(math.log10(price))
    tick = spec.tick_size if spec is not None and spec.tick_size else Decimal(1).scaleb(magnitude - 6)
    lot = spec.lot_size if spec is not None and spec.lot_size else Decimal(1).scaleb(-1 - magnitude)
    return Grid(
        tick,
        lot,
        1 if spec is None else max(1, math.ceil(spec.price_min / tick)),
        1 if spec is None else max(1, math.ceil(spec.quantity_min / lot)),
    )


def _usual_price(asset: str) -> Decimal:
    return Decimal(1) if asset in STABLE_ASSETS else _USUAL_PRICES.get(asset, _USUAL_PRICE)
