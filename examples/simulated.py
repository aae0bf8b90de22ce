"""What the examples share: two instruments of a simulated exchange, an account there, and a market that swings.

Nothing here is peculiar to examples: this is how an engine is set up anywhere.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from tradebus.core.engine.event import AccountSetup, EngineStarted, SimulationSetup, StrategySetup
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import BookL1, Level, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import spot
from tradebus.core.model.side import Side

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
SWING_S = 120
CENT = Decimal("0.01")
PRICES = {"btc": Decimal(60_000), "eth": Decimal(2_500)}


def spot_index(exchange: ExchangeId, bases: Sequence[str]) -> IndexedInstruments:
    """Return the numbering of spot instruments against usdt, called as most venues call them: ``BTCUSDT``."""
    quote = asset_from_name("usdt")
    return index_instruments([spot(exchange, f"{base}usdt".upper(), asset_from_name(base), quote) for base in bases])


def paper_account(index: IndexedInstruments, balances: dict[str, int]) -> AccountSetup:
    """Return a simulated account on the first exchange: 20 ms there and back, fees of 0.02 % and 0.05 %."""
    exchange = index.exchanges[0]
    owned = tuple((index.find_asset_index(exchange, name), Decimal(amount)) for name, amount in balances.items())
    simulation = SimulationSetup(20_000_000, Decimal("0.0002"), Decimal("0.0005"), owned)
    return AccountSetup(ExchangeIndex(0), f"{exchange.value}-paper", simulation)


def strategy_setup(name: str, class_path: str, **params: str) -> StrategySetup:
    """Return the setup of a strategy: its id, the path of its class, its parameters as texts."""
    return StrategySetup(StrategyId(name), class_path, tuple(sorted(params.items())))


def engine_started(
    index: IndexedInstruments,
    strategies: Sequence[StrategySetup],
    trading: TradingState = TradingState.ENABLED,
    balances: dict[str, int] | None = None,
) -> EngineStarted:
    """Return the record that begins a journal: all that decides the first state."""
    owned = {"usdt": 100_000} if balances is None else balances
    return EngineStarted(
        engine_id="example",
        mode="paper",
        run="first",
        code="examples",
        index=index,
        accounts=(paper_account(index, owned),),
        strategies=tuple(strategies),
        trading=trading,
    )


def swinging_market(index: IndexedInstruments, seconds: int) -> Iterator[MarketEvent]:
    """Yield a book and a trade of every instrument each second.

    Prices go up and down in two minutes, by 1, 2 and 3 % in turn, and are restless within 0.1 %. The same each time.
    """
    for second in range(seconds):
        phase = (second + SWING_S // 4) % SWING_S
        swing = Decimal(abs(phase - SWING_S // 2) - SWING_S // 4) / (SWING_S // 4) * (1 + second // SWING_S % 3)
        unrest = Decimal(second * 7_919 % 101 - 50) / 500
        for number, instrument in enumerate(index.instruments):
            middle = PRICES[instrument.definition.base.name_internal]
            price = (middle + middle * (swing + unrest) / 100).quantize(CENT)
            half_spread = (middle / 10_000).quantize(CENT)
            book = BookL1(Level(price - half_spread, Decimal(5)), Level(price + half_spread, Decimal(5)))
            trade = PublicTrade(str(second + 1), price, Decimal("0.5"), Side.BUY if second % 2 else Side.SELL)
            kinds: tuple[MarketData, ...] = (book, trade)
            for place, data in enumerate(kinds):
                time_ns = START_NS + second * SECOND_NS + (2 * number + place) * 1_000
                yield MarketEvent(time_ns, time_ns, instrument.exchange, instrument.index, 0, data)
