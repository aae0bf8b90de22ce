"""Follow the trend: long while the fast average of trade prices is above the slow one, flat otherwise.

Market orders, one at a time for each instrument; never short. Parameters: ``fast`` and ``slow`` (trades), ``notional``
(quote for each entry), ``instruments`` (internal names, comma between; all by default).
"""

from collections.abc import Mapping
from decimal import Decimal

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, InstrumentIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision, Strategy
from tradebus.strategies.parameters import ParameterError, Parameters, quantity_for

# Averages need no more digits than prices have; rounding keeps the state small. 12 decimals are far below any tick.
AVERAGE_STEP = Decimal("0.000000000001")

FAST = 20
SLOW = 60


class EmaCrossData(StrategyData):
    """What the strategy remembers: both averages and the number of trades seen, by instrument index."""

    def __init__(self, index: IndexedInstruments, fast: int, slow: int) -> None:
        self._weigh(fast, slow)
        self.fast: list[Decimal] = [ZERO for _ in index.instruments]
        self.slow: list[Decimal] = [ZERO for _ in index.instruments]
        self.seen: list[int] = [0 for _ in index.instruments]

    def configure(self, params: dict[str, str]) -> None:
        """Go on from the averages there are, with the weights of other lengths."""
        self._weigh(int(params.get("fast", FAST)), int(params.get("slow", SLOW)))

    def process(self, state: EngineState, event: EngineEvent) -> None:  # noqa: ARG002 - the event is enough here
        """Update the averages from a public trade."""
        if isinstance(event, MarketEvent):
            data = event.data
            if isinstance(data, PublicTrade):
                self._average(event.instrument, data.price)

    def _weigh(self, fast: int, slow: int) -> None:
        self.weight_fast = Decimal(2) / (fast + 1)
        self.weight_slow = Decimal(2) / (slow + 1)

    def _average(self, instrument: InstrumentIndex, price: Decimal) -> None:
        while len(self.seen) <= instrument:  # instruments may be added while the strategy runs
            self.fast.append(ZERO)
            self.slow.append(ZERO)
            self.seen.append(0)
        if self.seen[instrument] == 0:
            self.fast[instrument] = price
            self.slow[instrument] = price
        else:
            fast = self.fast[instrument]
            slow = self.slow[instrument]
            self.fast[instrument] = (fast + self.weight_fast * (price - fast)).quantize(AVERAGE_STEP)
            self.slow[instrument] = (slow + self.weight_slow * (price - slow)).quantize(AVERAGE_STEP)
        self.seen[instrument] += 1


class EmaCross(Strategy):
    """Decide at each trade of an instrument that has been seen for ``slow`` trades."""

    def __init__(self, strategy: StrategyId, params: Mapping[str, str], index: IndexedInstruments) -> None:
        read = Parameters(strategy, params)
        self._id = strategy
        self._index = index
        self._fast = read.count("fast", FAST)
        self._slow = read.count("slow", SLOW)
        self._notional = read.amount("notional", "1000")
        self._instruments = read.instruments(index)
        read.refuse_rest()
        if self._fast >= self._slow:
            raise ParameterError(f"strategy {strategy}: expected fast below slow, found {self._fast} and {self._slow}")

    @property
    def id(self) -> StrategyId:
        """Return the strategy's id."""
        return self._id

    def initial_data(self) -> EmaCrossData:
        """Return averages of nothing."""
        return EmaCrossData(self._index, self._fast, self._slow)

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        """Enter above, leave below; nothing while an order of ours is at work there."""
        if not isinstance(event, MarketEvent) or event.instrument not in self._instruments:
            return None
        if not isinstance(event.data, PublicTrade):
            return None
        data = state.strategy_data(self._id)
        if not isinstance(data, EmaCrossData) or data.seen[event.instrument] < self._slow:
            return None
        instrument = state.instruments[event.instrument]
        held = instrument.strategy_quantity(self._id)
        is_above = data.fast[event.instrument] > data.slow[event.instrument]
        if is_above == (held > ZERO) or instrument.data.is_stale or self._is_working(instrument):
            return None
        price = instrument.price()
        if price is None:
            return None
        price = price.quantize(AVERAGE_STEP)
        if is_above:
            quantity = quantity_for(instrument.instrument, self._notional, price)
            return None if quantity <= ZERO else self._order(instrument, Side.BUY, price, quantity)
        return self._order(instrument, Side.SELL, price, held)

    def _is_working(self, instrument: InstrumentState) -> bool:
        return any(order.key.strategy == self._id for order in instrument.orders.values())

    def _order(self, instrument: InstrumentState, side: Side, price: Decimal, quantity: Decimal) -> Decision:
        definition = instrument.instrument
        key = OrderKey(definition.exchange, definition.index, self._id, NO_CLIENT_ORDER_ID)
        request = OrderRequestOpen(key, side, price, quantity, OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
        return Decision((), (request,))
