"""Hold the whole trading state: whatever can influence a later output of the engine is in here.

Source: barter 0.12.5 ``engine/state/mod.rs``. Lists are reached by index. The state changes only in functions that a
replica also runs (``engine.apply``); sequence, time and epoch stand beside it, in the tick and the batch.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar, final

from tradebus.core.engine.command import ALL_INSTRUMENTS, InstrumentFilter
from tradebus.core.engine.event import EngineStarted, StrategySetup
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.engine.state.asset_filter import AssetFilter
from tradebus.core.engine.state.commands import CommandLog
from tradebus.core.engine.state.connectivity import ConnectivityState, global_health
from tradebus.core.engine.state.instrument import ExitTotals, InstrumentState, new_instrument_state
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.engine.state.numbering import OrderNumbering
from tradebus.core.engine.state.position import Position
from tradebus.core.engine.state.risk import RiskState, initial_risk_state
from tradebus.core.engine.state.strategy_data import StrategyData, StrategyState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_data import GlobalData, GlobalDataState, InstrumentData
from tradebus.core.engine.state.user_setup import UserDataFactory, new_global_data, new_instrument_data, no_user_data
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments, InstrumentIndexError
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import Order
from tradebus.core.model.record import Record, field_values


@final
class AccountCursor(Record):
    """How far an account's events are applied: the key (cause, ordinal) of the last keyed one."""

    FIELDS: ClassVar[tuple[str, ...]] = ("cause", "ordinal")

    def __init__(self, cause: int, ordinal: int) -> None:
        self.cause = cause
        self.ordinal = ordinal


@final
class Timer(Record):
    """A timer that a strategy set."""

    FIELDS: ClassVar[tuple[str, ...]] = ("strategy", "id", "due_ns")

    def __init__(self, strategy: StrategyId, id: str, due_ns: int) -> None:
        self.strategy = strategy
        self.id = id
        self.due_ns = due_ns


@final
class EngineState(Record):
    """The trading state. Every list is in index order; timers are in (due, strategy, id) order.

    ``time_ns`` is engine time: that of the event which is being processed, of the last one between events.
    ``global_data`` is none where the user defined no such data.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "index",
        "trading",
        "connectivity",
        "assets",
        "instruments",
        "strategies",
        "cursors",
        "timers",
        "risk",
        "numbering",
        "global_data",
        "commands",
    )

    def __init__(
        self,
        index: IndexedInstruments,
        trading: TradingState,
        connectivity: list[ConnectivityState],
        assets: list[AssetState],
        instruments: list[InstrumentState],
        strategies: list[StrategyState],
        cursors: list[AccountCursor],
        timers: list[Timer],
        risk: RiskState,
        numbering: OrderNumbering,
        global_data: GlobalDataState | None = None,
        commands: CommandLog | None = None,
    ) -> None:
        self.index = index
        self.trading = trading
        self.connectivity = connectivity
        self.assets = assets
        self.instruments = instruments
        self.strategies = strategies
        self.cursors = cursors
        self.timers = timers
        self.risk = risk
        # Engine time of the step that is being made. No field: it stands in the tick beside the state, not in its hash.
        self.time_ns = 0
        self.numbering = numbering
        self.global_data = global_data
        self.commands = CommandLog(0, []) if commands is None else commands

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle with the engine time, which is no field."""
        return (EngineState, field_values(self), self.time_ns)

    def __setstate__(self, time_ns: int) -> None:
        """Take the engine time that was copied beside the fields."""
        self.time_ns = time_ns

    @property
    def global_health(self) -> Health:
        """Return healthy if every link works."""
        return global_health(self.connectivity)

    def instrument(self, index: InstrumentIndex) -> InstrumentState:
        """Return the state of one instrument; raises InstrumentIndexError."""
        self.index.find_instrument(index)
        return self.instruments[index]

    def asset(self, index: AssetIndex) -> AssetState:
        """Return the state of one asset; raises AssetIndexError."""
        self.index.find_asset(index)
        return self.assets[index]

    def exchange(self, index: ExchangeIndex) -> ConnectivityState:
        """Return the links of one exchange; raises ExchangeIndexError."""
        self.index.find_exchange(index)
        return self.connectivity[index]

    def instrument_named(self, name: str) -> InstrumentState:
        """Return the state of the instrument of an internal name, in any case; raises InstrumentIndexError.

        It looks through all of them: what is asked for often is better remembered by its index.
        """
        wanted = name.lower()
        for state in self.instruments:
            if state.instrument.name == wanted:
                return state
        raise InstrumentIndexError(f"InstrumentIndex: no instrument is called {name!r}")

    def asset_named(self, exchange: ExchangeId, name: str) -> AssetState:
        """Return the state of an asset by exchange and internal name, in any case; raises AssetIndexError."""
        return self.assets[self.index.find_asset_index(exchange, name)]

    def exchange_named(self, exchange: ExchangeId) -> ConnectivityState:
        """Return the links of an exchange; raises ExchangeIndexError."""
        return self.connectivity[self.index.find_exchange_index(exchange)]

    def matching(self, selection: InstrumentFilter) -> Iterator[InstrumentState]:
        """Yield the instruments that a filter selects, in index order."""
        for state in self.instruments:
            if selection.matches(state.instrument):
                yield state

    def assets_matching(self, selection: AssetFilter) -> Iterator[AssetState]:
        """Yield the assets that a filter selects, in index order."""
        for state in self.assets:
            if selection.matches(state.asset):
                yield state

    def positions(self, selection: InstrumentFilter = ALL_INSTRUMENTS) -> Iterator[Position]:
        """Yield the open positions of the instruments that a filter selects."""
        for state in self.matching(selection):
            if state.position is not None:
                yield state.position

    def orders(self, selection: InstrumentFilter = ALL_INSTRUMENTS) -> Iterator[Order]:
        """Yield the active orders of the instruments that a filter selects, within one in the order they were made."""
        for state in self.matching(selection):
            yield from state.orders.values()

    def market_data(self, selection: InstrumentFilter = ALL_INSTRUMENTS) -> Iterator[InstrumentMarketData]:
        """Yield the default data of the instruments that a filter selects."""
        for state in self.matching(selection):
            yield state.data

    def instrument_data(self, selection: InstrumentFilter = ALL_INSTRUMENTS) -> Iterator[InstrumentData]:
        """Yield the user-defined data of the instruments that a filter selects; raises KeyError as the one of one."""
        for state in self.matching(selection):
            yield self.find_instrument_data(state.instrument.index)

    def exits(self, selection: InstrumentFilter = ALL_INSTRUMENTS) -> Iterator[ExitTotals]:
        """Yield what the closed positions of the instruments that a filter selects made: what sheets begin from."""
        for state in self.matching(selection):
            yield state.exits

    def strategy(self, strategy: StrategyId) -> StrategyState:
        """Return the state of one strategy; raises KeyError naming it."""
        for state in self.strategies:
            if state.setup.id == strategy:
                return state
        raise KeyError(f"no strategy {strategy!r}, only {[s.setup.id for s in self.strategies]}")

    def strategy_data(self, strategy: StrategyId) -> StrategyData:
        """Return what a strategy remembers; raises KeyError where its class is not available here."""
        found = self.strategy(strategy)
        data = found.data
        if data is None or not found.has_class:
            raise KeyError(f"the data of strategy {strategy!r} is not available: its class could not be loaded")
        return data

    def strategy_pnl(self, strategy: StrategyId) -> dict[AssetIndex, Decimal]:
        """Return what a strategy made, realised and open at mark prices, by the asset it is in."""
        totals: dict[AssetIndex, Decimal] = {}
        for state in self.instruments:
            found = state.strategies.get(strategy)
            if found is not None:
                made = found.pnl_realised + state.strategy_pnl_unrealised(strategy)
                totals[state.pnl_asset] = totals.get(state.pnl_asset, ZERO) + made
        return totals

    def find_global_data(self) -> GlobalData:
        """Return the user-defined global data; raises KeyError where there is none, or its class is not available."""
        found = self.global_data
        if found is None:
            raise KeyError("no global data is configured")
        if found.data is None or not found.has_class:
            raise KeyError("the global data is not available: its class could not be loaded")
        return found.data

    def find_instrument_data(self, index: InstrumentIndex) -> InstrumentData:
        """Return the user-defined data of an instrument; raises KeyError as ``find_global_data``."""
        state = self.instrument(index)
        found = state.user_data
        if found is None:
            raise KeyError("no instrument data is configured")
        if found.data is None or not found.has_class:
            name = state.instrument.name
            raise KeyError(f"the data of {name} is not available: its class could not be loaded")
        return found.data

    def set_timer(self, strategy: StrategyId, id: str, due_ns: int) -> None:
        """Set or move a timer."""
        self.clear_timer(strategy, id)
        self.timers.append(Timer(strategy, id, due_ns))
        self.timers.sort(key=_timer_key)

    def clear_timer(self, strategy: StrategyId, id: str) -> None:
        """Remove a timer; nothing happens if it is not set."""
        self.timers = [timer for timer in self.timers if timer.strategy != strategy or timer.id != id]

    def pnl_realised(self) -> dict[AssetIndex, Decimal]:
        """Return the realised PnL by the asset it is in, for assets of which an instrument traded."""
        totals: dict[AssetIndex, Decimal] = {}
        for state in self.instruments:
            if state.has_traded():
                asset = state.pnl_asset
                totals[asset] = totals.get(asset, ZERO) + state.pnl_realised()
        return totals

    def pnl_unrealised(self) -> dict[AssetIndex, Decimal]:
        """Return the open profit at mark prices, less approximate exit fees, by the asset it is in."""
        totals: dict[AssetIndex, Decimal] = {}
        for state in self.instruments:
            if state.position is not None:
                asset = state.pnl_asset
                totals[asset] = totals.get(asset, ZERO) + state.pnl_unrealised()
        return totals


def _timer_key(timer: Timer) -> tuple[int, str, str]:
    return (timer.due_ns, timer.strategy, timer.id)


def first_links(started: EngineStarted) -> list[ConnectivityState]:
    """Return the links that a run begins with: nothing was heard yet.

    Simulated accounts take requests from the start; those at venues wait for their owner.
    """
    links = [
        ConnectivityState(Health.RECONNECTING, Health.RECONNECTING, AccountLink.NOT_CONFIGURED)
        for _ in started.index.exchanges
    ]
    for account in started.accounts:
        links[account.exchange].link = AccountLink.UNHEALTHY if account.simulation is None else AccountLink.HEALTHY
    return links


def initial_state(
    started: EngineStarted, data: list[StrategyData | None], make_user_data: UserDataFactory = no_user_data
) -> EngineState:
    """Return the state an engine begins with; ``data`` holds what each strategy remembers, in the order of its setup.

    ``make_user_data`` makes the user-defined data that the start record asks for.
    """
    index = started.index
    if len(data) != len(started.strategies):
        raise ValueError(f"expected data for {len(started.strategies)} strategies, found {len(data)}")
    setups: tuple[StrategySetup, ...] = started.strategies
    return EngineState(
        index,
        started.trading,
        first_links(started),
        [AssetState(asset, None, 0) for asset in index.assets],
        [
            new_instrument_state(instrument, new_instrument_data(started, instrument, make_user_data))
            for instrument in index.instruments
        ],
        [StrategyState(setup, data[i], "", False) for i, setup in enumerate(setups)],
        [AccountCursor(0, 0) for _ in index.exchanges],
        [],
        initial_risk_state(started.risk, len(index.exchanges)),
        OrderNumbering(started.engine_id, 0, 0, 0),
        new_global_data(started, make_user_data),
    )
