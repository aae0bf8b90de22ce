"""Turn settings into the first record of a journal: everything that the initial state is built from."""

from pathlib import Path

from services.engine.code import code_version
from tradebus.config import Settings
from tradebus.config.risk import risk_setups
from tradebus.config.strategies import data_setup, strategy_setups
from tradebus.core.engine.event import AccountSetup, EngineStarted, SimulationSetup
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments

NS_PER_MS = 1_000_000


def engine_started(settings: Settings, run: str) -> EngineStarted:
    """Return the start record of an engine with these settings."""
    index = settings.indexed_instruments()
    return EngineStarted(
        settings.engine_id,
        settings.mode.value,
        run,
        code_version(Path(settings.engine.strategies_dir)),
        index,
        tuple(
            account_setup(settings, index, exchange) for exchange in index.exchanges if exchange in settings.execution
        ),
        tuple(strategy_setups(settings)),
        TradingState.ENABLED if settings.engine.trading_at_start else TradingState.DISABLED,
        tuple(risk_setups(settings)),
        data_setup(settings.engine.global_data),
        data_setup(settings.engine.instrument_data),
    )


def account_setup(settings: Settings, index: IndexedInstruments, exchange: ExchangeId) -> AccountSetup:
    """Return how the account on an exchange is set up; simulated accounts carry their whole simulation."""
    execution = settings.execution[exchange]
    simulation = None
    if execution.connector == "simulated":
        amounts = sorted(
            (index.find_asset_index(exchange, name), amount) for name, amount in execution.balances.items()
        )
        simulation = SimulationSetup(
            execution.latency_ms * NS_PER_MS,
            execution.fee_fraction_maker,
            execution.fee_fraction_taker,
            tuple(amounts),
        )
    return AccountSetup(index.find_exchange_index(exchange), settings.account(exchange), simulation)
