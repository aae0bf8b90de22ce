"""Let a state go on under the start record of a later run: run by the engine that resumes and by every replica alike.

Everything that is new is made before anything changes, so that a class that cannot be made leaves the state as it was.
"""

from tradebus.core.engine.event import EngineStarted, StrategySetup
from tradebus.core.engine.resume import check_growth
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.engine.state.engine_state import AccountCursor, EngineState, first_links
from tradebus.core.engine.state.instrument import InstrumentState, new_instrument_state
from tradebus.core.engine.state.risk import RiskCheckState, RiskState, initial_risk_state
from tradebus.core.engine.state.strategy_data import StrategyState
from tradebus.core.engine.state.user_data import GlobalDataState, InstrumentDataState
from tradebus.core.engine.state.user_setup import (
    StrategyDataFactory,
    UserDataFactory,
    new_global_data,
    new_instrument_data,
    no_user_data,
)


def apply_resumed(
    state: EngineState,
    started: EngineStarted,
    make_data: StrategyDataFactory,
    make_user_data: UserDataFactory = no_user_data,
) -> None:
    """Let a state go on under another start record.

    Kept: orders, positions, balances, cursors, timers, what strategies and users' data remember, the trading state.
    Lost until they are heard of again: the links; the market data are stale. New: exchanges, assets and instruments
    behind the known ones, strategies, risk checks and users' data that were not configured before, in their first
    state. Other parameters are taken as from a ``ConfigChanged``. Strategies and risk checks that are configured no
    more are dropped, with their timers; the orders of such a strategy stay, and what it made stays attributed to it.

    ``make_data`` gives what a new strategy remembers at first. Raises CannotResume, or what the factories raise, and
    then nothing has changed.
    """
    check_growth(state.index, started.index)
    index = started.index
    strategies = [_strategy(state, setup, started, make_data) for setup in started.strategies]
    global_data = _global_data(state, started, make_user_data)
    users: list[InstrumentDataState | None] = []
    for i, definition in enumerate(index.instruments):
        known = state.instruments[i].user_data if i < len(state.instruments) else None
        if known is None or known.setup != started.instrument_data:
            known = new_instrument_data(started, definition, make_user_data)
        users.append(known)

    state.index = index
    _grow_lists(state, started, users)
    state.connectivity = first_links(started)
    state.global_data = global_data
    state.strategies = strategies
    names = [setup.id for setup in started.strategies]
    state.timers = [timer for timer in state.timers if timer.strategy in names]
    state.risk = RiskState([_check(state.risk, setup, len(index.exchanges)) for setup in started.risk])
    for strategy, setup in zip(strategies, started.strategies, strict=True):
        if strategy.setup != setup:
            strategy.configure(setup)


def _grow_lists(state: EngineState, started: EngineStarted, users: list[InstrumentDataState | None]) -> None:
    index = started.index
    for i, asset in enumerate(index.assets):
        if i < len(state.assets):
            state.assets[i].asset = asset
        else:
            state.assets.append(AssetState(asset, None, 0))
    for i, definition in enumerate(index.instruments):
        if i < len(state.instruments):
            instrument: InstrumentState = state.instruments[i]
            instrument.instrument = definition
            instrument.user_data = users[i]
            instrument.data.mark_stale()
        else:
            state.instruments.append(new_instrument_state(definition, users[i]))
    state.cursors += [AccountCursor(0, 0) for _ in range(len(index.exchanges) - len(state.cursors))]


def _strategy(
    state: EngineState, setup: StrategySetup, started: EngineStarted, make_data: StrategyDataFactory
) -> StrategyState:
    """Return the known strategy of an id and class, to be configured yet, or one that begins."""
    for known in state.strategies:
        if known.setup.id == setup.id and known.setup.class_path == setup.class_path:
            return known
    return StrategyState(setup, make_data(setup, started.index), "", False)


def _global_data(state: EngineState, started: EngineStarted, make: UserDataFactory) -> GlobalDataState | None:
    known = state.global_data
    if known is not None and known.setup == started.global_data:
        return known
    return new_global_data(started, make)


def _check(risk: RiskState, setup: RiskCheckSetup, exchange_count: int) -> RiskCheckState:
    """Return the known risk check of an id, class and kind of window under its new setup, or one that begins."""
    fresh = initial_risk_state((setup,), exchange_count).checks[0]
    known = risk.check(setup.id)
    if known is None or known.setup.class_path != setup.class_path or known.scope() != fresh.scope():
        return fresh
    if known.setup != setup:
        known.configure(setup)
    known.sent += fresh.sent[len(known.sent) :]
    return known
