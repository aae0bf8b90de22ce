"""Run an engine with replicas at its side, and compare them after every tick.

The strategies here do what a test tells them. ``Followed`` is the scenario runner: it processes events and holds the
engine to its promise, that event and outputs of a tick are all a replica needs.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

from tests.support.builders import engine_of
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick, Halted, Output, RequestsDecided
from tradebus.core.engine.command import InstrumentFilter
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted, StrategySetup
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.funding import FUNDING_IDS_MAX
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.user_setup import UserDataFactory, no_user_data
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, ExchangeIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen, is_active
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision, Strategy

Decide = Callable[[EngineState, EngineEvent], Decision | None]


class Memory(StrategyData):
    """Data that counts what it sees and takes patches of ``note``, ``items`` and any other name."""

    def __init__(self) -> None:
        self.seen = 0
        self.note: object = None
        self.items: list[object] = []

    def process(self, state: EngineState, event: EngineEvent) -> None:
        self.seen += 1
        # What is patched in may be changed later: a tick that shares it would change too.
        if len(self.items) < 8:
            self.items.append(self.seen)


class Scripted(Strategy):
    """A strategy made of functions; what is not given does nothing (close: market orders, as the base does)."""

    def __init__(
        self,
        decide: Decide | None = None,
        *,
        strategy_id: str = "s",
        close: Callable[[EngineState, InstrumentFilter], Decision | None] | None = None,
        disconnected: Callable[[EngineState, ExchangeIndex], Decision | None] | None = None,
        disabled: Callable[[EngineState], Decision | None] | None = None,
        data: Callable[[], StrategyData] = Memory,
    ) -> None:
        self._id = StrategyId(strategy_id)
        self._decide = decide
        self._close = close
        self._disconnected = disconnected
        self._disabled = disabled
        self._data = data
        self.asked: list[EngineEvent] = []

    @property
    def id(self) -> StrategyId:
        return self._id

    def initial_data(self) -> StrategyData:
        return self._data()

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:
        self.asked.append(event)
        return self._decide(state, event) if self._decide is not None else None

    def close_positions_requests(self, state: EngineState, selection: InstrumentFilter) -> Decision | None:
        if self._close is not None:
            return self._close(state, selection)
        return super().close_positions_requests(state, selection)

    def on_disconnect(self, state: EngineState, exchange: ExchangeIndex) -> Decision | None:
        return self._disconnected(state, exchange) if self._disconnected is not None else None

    def on_trading_disabled(self, state: EngineState) -> Decision | None:
        return self._disabled(state) if self._disabled is not None else None


def answer_once(decision: Decision) -> Decide:
    """Return a decide function that gives this decision at the first event and nothing afterwards."""
    left = [decision]
    return lambda _state, _event: left.pop() if left else None


def same_data(strategies: Sequence[Strategy]) -> Callable[[StrategySetup, IndexedInstruments], StrategyData | None]:
    """Return what gives a replica the same initial data as these strategies."""
    by_id = {strategy.id: strategy for strategy in strategies}
    return lambda setup, _index: by_id[setup.id].initial_data()


class Followed:
    """An engine, a replica of it, and all its ticks; every tick is checked as it comes."""

    def __init__(
        self, engine: Engine, strategies: Sequence[Strategy], make_user_data: UserDataFactory = no_user_data
    ) -> None:
        self.engine = engine
        self.replica = Replica(same_data(strategies), make_user_data)
        self.ticks: list[AuditTick] = []
        self._texts: list[str] = []

    def start(self, now_ns: int = 0) -> AuditTick:
        return self._follow(self.engine.start(now_ns))

    def process(self, event: EngineEvent, now_ns: int = 0) -> AuditTick:
        return self._follow(self.engine.process(event, now_ns))

    def _follow(self, tick: AuditTick) -> AuditTick:
        if self.ticks:
            assert tick.sequence == self.ticks[-1].sequence + 1, "sequences have no holes"
            assert tick.time_ns >= self.ticks[-1].time_ns, "engine time never goes backwards"
        self.ticks.append(tick)
        self._texts.append(canonical_text(tick))
        assert self.replica.apply(tick)
        assert_same_state(self.engine, self.replica)
        check_invariants(self.engine.state)
        return tick

    def assert_ticks_unchanged(self) -> None:
        """Ticks are written later than they are made; nothing that happens in between may change them."""
        assert [canonical_text(tick) for tick in self.ticks] == self._texts


def follow(
    *strategies: Strategy,
    started: EngineStarted | None = None,
    risk: RiskManager | None = None,
    is_debug: bool = True,
    make_user_data: UserDataFactory = no_user_data,
) -> Followed:
    """Return a started engine with its replica; in debug mode a decision that changes the state raises."""
    engine = engine_of(*strategies, risk=risk, started=started, is_debug=is_debug, make_user_data=make_user_data)
    followed = Followed(engine, strategies, make_user_data)
    followed.start()
    return followed


def assert_same_state(engine: Engine, replica: Replica) -> None:
    """A replica equals its engine: field by field, and by both roots of the hash."""
    assert replica.state == engine.state
    assert replica.hash() == engine.hash()
    assert replica.hash().equals(engine.hash())
    assert (replica.sequence, replica.time_ns) == (engine.sequence - 1, engine.time_ns)


def check_invariants(state: EngineState, *former: str) -> None:
    """What holds of every state: orders are active and stand where they belong, positions are not empty.

    ``former`` are strategies that are configured no more.
    """
    for i, instrument in enumerate(state.instruments):
        assert instrument.instrument.index == i
        for cid, order in instrument.orders.items():
            assert order.key.cid == cid
            assert order.key.instrument == i
            assert is_active(order.state)
        position = instrument.position
        if position is not None:
            assert position.instrument == i
            assert 0 < position.quantity_abs <= position.quantity_abs_max
            assert position.trade_count >= 1
        held = sum((each.quantity_net for each in instrument.strategies.values()), Decimal(0))
        assert held == instrument.quantity_net(), "what strategies hold adds up to the position"
        for strategy, attributed in instrument.strategies.items():
            assert attributed.strategy == strategy
            assert strategy in {STRATEGY_UNKNOWN, *(each.setup.id for each in state.strategies), *former}
            assert bool(attributed.price_entry_average) <= bool(attributed.quantity_net)
        assert [each.asset for each in instrument.apart] == sorted({each.asset for each in instrument.apart})
        assert len(instrument.funding.ids) <= FUNDING_IDS_MAX
    assert [timer.due_ns for timer in state.timers] == sorted(timer.due_ns for timer in state.timers)
    timers = [(timer.strategy, timer.id) for timer in state.timers]
    assert len(timers) == len(set(timers))


def decided(tick: AuditTick) -> RequestsDecided:
    """Return the only decision in a tick."""
    found = [output for output in tick.outputs if isinstance(output, RequestsDecided)]
    assert len(found) == 1, tick.outputs
    return found[0]


def halted(tick: AuditTick) -> Halted:
    """Return the only halt in a tick."""
    found = [output for output in tick.outputs if isinstance(output, Halted)]
    assert len(found) == 1, tick.outputs
    return found[0]


def opens_sent(ticks: Sequence[AuditTick]) -> list[OrderRequestOpen]:
    """Return all orders sent, in order."""
    return [request for tick in ticks for output in tick.outputs for request in _opens(output)]


def _opens(output: Output) -> tuple[OrderRequestOpen, ...]:
    return output.opens_sent if isinstance(output, RequestsDecided) else ()
