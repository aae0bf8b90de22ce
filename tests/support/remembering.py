"""A strategy in ordinary Python that decides by what it remembers: prices, counts, a diary of its timers and fills.

Whatever is lost or taken in twice of its data changes what it sends from there on.
"""

from collections.abc import Mapping
from decimal import Decimal

from tradebus.core.engine.event import AccountEvent, TimerFired, TradeReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, InstrumentIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision, Strategy

PERIOD_NS = 700_000_000
LOT = Decimal("0.01")
KEPT = 16


class Remembered(StrategyData):
    """Prices by instrument, how many of what was seen, the last fills, and what the strategy wrote down itself."""

    def __init__(self) -> None:
        self.prices: dict[str, Decimal] = {}
        self.counts: dict[str, int] = {}
        self.fills: list[object] = []
        self.diary: list[object] = []

    def process(self, state: EngineState, event: EngineEvent) -> None:
        name = type(event).__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        if isinstance(event, MarketEvent) and isinstance(event.data, PublicTrade):
            self.prices[str(event.instrument)] = event.data.price
        elif isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived):
            trade = event.data.trade
            self.fills = [*self.fills, (trade.price, trade.quantity)][-KEPT:]


class Remembering(Strategy):
    """Set a timer at a time; when it fires buy or sell, by all that is remembered, and write that down."""

    def __init__(self, strategy: StrategyId, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id = strategy
        self._index = index

    @property
    def id(self) -> StrategyId:
        return self._id

    def initial_data(self) -> StrategyData:
        return Remembered()

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        data = state.strategy_data(self._id)
        assert isinstance(data, Remembered)
        if isinstance(event, TimerFired) and event.strategy == self._id:
            return self._decide(state, data)
        if isinstance(event, MarketEvent) and not data.diary and not state.timers:
            return Decision(timers_set=(("beat", state.time_ns + PERIOD_NS),))
        return None

    def _decide(self, state: EngineState, data: Remembered) -> Decision:
        seen = sum(data.counts.values()) + len(data.fills)
        price = data.prices.get("0")
        again = (("beat", state.time_ns + PERIOD_NS),)
        if price is None:
            return Decision(timers_set=again)
        side = Side.BUY if (seen + int(price * 100)) % 2 else Side.SELL
        definition = self._index.instruments[0]
        key = OrderKey(definition.exchange, InstrumentIndex(0), self._id, NO_CLIENT_ORDER_ID)
        quantity = LOT * (1 + seen % 7)
        order = OrderRequestOpen(key, side, price, quantity, OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
        diary = [*data.diary, (state.time_ns, side is Side.BUY, quantity)][-KEPT:]
        return Decision(opens=(order,), timers_set=again, patches=(("diary", diary),))
