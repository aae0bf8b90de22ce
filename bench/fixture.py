"""Make what the benchmarks run on: three instruments, a feed of trades and books, strategies that do little."""

from decimal import Decimal

from tradebus.core.engine.event import AccountSetup, EngineStarted, SimulationSetup, StrategySetup
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import BookL1, Level, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import (
    NO_CLIENT_ORDER_ID,
    AssetIndex,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
    StrategyId,
)
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import spot
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision, Strategy

BASE_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000
PRICE = Decimal(60_000)
QUANTITY = Decimal("0.001")


def index() -> IndexedInstruments:
    """Return three spot instruments on one exchange."""
    usdt = asset_from_name("usdt")
    bases = ("btc", "eth", "sol")
    return index_instruments(
        spot(ExchangeId.SIM_ALPHA, f"{base.upper()}USDT", asset_from_name(base), usdt) for base in bases
    )


def events(count: int) -> list[MarketEvent]:
    """Return a feed: of five events one is a trade, the others change the book."""
    made: list[MarketEvent] = []
    for i in range(count):
        price = Decimal(60_000_00 + (i * 7919) % 2000 - 1000).scaleb(-2)
        amount = Decimal(1 + (i * 31) % 500).scaleb(-3)
        data: MarketData
        if i % 5 == 0:
            data = PublicTrade(str(i + 1), price, amount, Side.BUY if i % 2 else Side.SELL)
        else:
            data = BookL1(Level(price, amount), Level(price + Decimal("0.01"), amount))
        time_ns = BASE_NS + i * STEP_NS
        made.append(MarketEvent(time_ns, time_ns, ExchangeIndex(0), InstrumentIndex(i % 3), i // 3 + 1, data))
    return made


def started(strategies: list[Strategy]) -> EngineStarted:
    """Return the start record of an engine with one simulated account."""
    numbering = index()
    balances = tuple((AssetIndex(i), Decimal(1_000_000)) for i in range(len(numbering.assets)))
    simulation = SimulationSetup(1_000_000, Decimal("0.0002"), Decimal("0.0005"), balances)
    return EngineStarted(
        "bench",
        "replay",
        "bench",
        "bench",
        numbering,
        (AccountSetup(ExchangeIndex(0), "sim_alpha-paper", simulation),),
        tuple(StrategySetup(strategy.id, "bench.fixture:none", ()) for strategy in strategies),
        TradingState.ENABLED,
    )


class PythonNoOp(Strategy):
    """An ordinary Python strategy that never wants anything."""

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:  # noqa: ARG002
        """Want nothing."""
        return None


class OrderEvery(Strategy):
    """An ordinary Python strategy that sends a market order every ``every`` events."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._seen = 0

    @property
    def id(self) -> StrategyId:
        """Return its id."""
        return StrategyId("every")

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:  # noqa: ARG002
        """Count, and order when it is time."""
        self._seen += 1
        if self._seen % self._every or not isinstance(event, MarketEvent):
            return None
        side = Side.BUY if (self._seen // self._every) % 2 else Side.SELL
        key = OrderKey(event.exchange, event.instrument, StrategyId("every"), NO_CLIENT_ORDER_ID)
        request = OrderRequestOpen(key, side, PRICE, QUANTITY, OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
        return Decision((), (request,))


class OrderEverywhere(Strategy):
    """An ordinary Python strategy that sends a market order for every instrument at every market event."""

    @property
    def id(self) -> StrategyId:
        """Return its id."""
        return StrategyId("everywhere")

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        """Order everywhere, buying and selling by turns."""
        if not isinstance(event, MarketEvent):
            return None
        side = Side.BUY if event.sequence % 2 else Side.SELL
        return Decision(
            (),
            [
                OrderRequestOpen(
                    OrderKey(event.exchange, InstrumentIndex(i), StrategyId("everywhere"), NO_CLIENT_ORDER_ID),
                    side,
                    PRICE,
                    QUANTITY,
                    OrderKind.MARKET,
                    TimeInForce.IMMEDIATE_OR_CANCEL,
                )
                for i in range(len(state.instruments))
            ],
        )
