"""What an engine processes besides markets, accounts and commands: ``engine.proto``."""

from decimal import Decimal
from typing import Final

from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.error import EngineError, EngineErrorKind
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AccountSetup,
    DataSetup,
    EngineStarted,
    SimulationSetup,
    StrategySetup,
    TimerFired,
    TradingStateUpdate,
)
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import AssetIndex, StrategyId
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, bounds_of, exchange_index
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.instrument import indexed_instruments_from_pb, indexed_instruments_to_pb
from tradebus.wire.codec.number import given_from_text
from tradebus.wire.codec.parts import child, children, named, text
from tradebus.wire.pb.v1 import engine_pb2 as pb

TRADING_STATES: Final = EnumCodec(TradingState, pb.TradingState)
ACCOUNT_LINKS: Final = EnumCodec(AccountLink, pb.AccountLink)
ENGINE_ERROR_KINDS: Final = EnumCodec(EngineErrorKind, pb.EngineErrorKind)


def engine_error_to_pb(error: EngineError, into: pb.EngineError) -> None:
    """Fill a message with a failure inside a step."""
    into.kind = ENGINE_ERROR_KINDS.to_pb(error.kind)
    into.message = error.message


def engine_error_from_pb(message: pb.EngineError, bounds: IndexBounds = UNBOUNDED) -> EngineError:  # noqa: ARG001 - as all readers
    """Return a failure inside a step; raises DecodeError."""
    return EngineError(ENGINE_ERROR_KINDS.from_pb(message.kind, "kind"), message.message)


def account_link_changed_to_pb(event: AccountLinkChanged, into: pb.AccountLinkChanged) -> None:
    """Fill a message with the change of an account's link."""
    into.exchange = event.exchange
    into.link = ACCOUNT_LINKS.to_pb(event.link)


def account_link_changed_from_pb(message: pb.AccountLinkChanged, bounds: IndexBounds = UNBOUNDED) -> AccountLinkChanged:
    """Return the change of an account's link; raises DecodeError."""
    return AccountLinkChanged(exchange_index(message.exchange, bounds), ACCOUNT_LINKS.from_pb(message.link, "link"))


def trading_state_update_to_pb(event: TradingStateUpdate, into: pb.TradingStateUpdate) -> None:
    """Fill a message with a switch of trading."""
    into.state = TRADING_STATES.to_pb(event.state)
    into.origin = event.origin
    into.command_id = event.command_id
    into.position = event.position


def trading_state_update_from_pb(
    message: pb.TradingStateUpdate,
    bounds: IndexBounds = UNBOUNDED,  # noqa: ARG001 - as all readers
) -> TradingStateUpdate:
    """Return a switch of trading; raises DecodeError."""
    state = TRADING_STATES.from_pb(message.state, "state")
    return TradingStateUpdate(state, message.origin, message.command_id, message.position)


def timer_fired_to_pb(event: TimerFired, into: pb.TimerFired) -> None:
    """Fill a message with a timer that is due."""
    into.strategy = event.strategy
    into.id = event.id
    into.due_ns = event.due_ns


def timer_fired_from_pb(message: pb.TimerFired, bounds: IndexBounds = UNBOUNDED) -> TimerFired:  # noqa: ARG001 - as all readers
    """Return a timer that is due; raises DecodeError."""
    return TimerFired(StrategyId(text(message.strategy, "strategy")), message.id, message.due_ns)


def account_setup_to_pb(setup: AccountSetup, into: pb.AccountSetup) -> None:
    """Fill a message with an account of the engine."""
    into.exchange = setup.exchange
    into.account = setup.account
    if setup.simulation is not None:
        _simulation_to_pb(setup.simulation, into.simulation)


def account_setup_from_pb(message: pb.AccountSetup, bounds: IndexBounds = UNBOUNDED) -> AccountSetup:
    """Return an account of the engine; raises DecodeError."""
    return AccountSetup(
        exchange_index(message.exchange, bounds),
        text(message.account, "account"),
        named("simulation", message.simulation, _simulation_from_pb, bounds)
        if message.HasField("simulation")
        else None,
    )


def _simulation_to_pb(setup: SimulationSetup, into: pb.SimulationSetup) -> None:
    into.SetInParent()
    into.latency_ns = setup.latency_ns
    into.fee_maker = str(setup.fee_maker)
    into.fee_taker = str(setup.fee_taker)
    for asset, amount in setup.balances:
        into.balances.add(asset=asset, amount=str(amount))
    into.is_market_only = setup.is_market_only


def _simulation_from_pb(message: pb.SimulationSetup, bounds: IndexBounds) -> SimulationSetup:
    return SimulationSetup(
        message.latency_ns,
        given_from_text(message.fee_maker, "fee_maker"),
        given_from_text(message.fee_taker, "fee_taker"),
        children("balances", message.balances, _simulation_balance_from_pb, bounds),
        message.is_market_only,
    )


def _simulation_balance_from_pb(message: pb.SimulationBalance, bounds: IndexBounds) -> tuple[AssetIndex, Decimal]:
    return asset_index(message.asset, bounds), given_from_text(message.amount, "amount")


def strategy_setup_to_pb(setup: StrategySetup, into: pb.StrategySetup) -> None:
    """Fill a message with a strategy of the engine."""
    into.id = setup.id
    into.class_path = setup.class_path
    for name, value in setup.params:
        into.params.add(name=name, value=value)


def strategy_setup_from_pb(message: pb.StrategySetup, bounds: IndexBounds = UNBOUNDED) -> StrategySetup:
    """Return a strategy of the engine; raises DecodeError."""
    return StrategySetup(
        StrategyId(text(message.id, "id")),
        text(message.class_path, "class_path"),
        children("params", message.params, _param_from_pb, bounds),
    )


def _param_from_pb(message: pb.StrategyParam, _bounds: IndexBounds) -> tuple[str, str]:
    return text(message.name, "name"), message.value


def risk_check_setup_to_pb(setup: RiskCheckSetup, into: pb.RiskCheckSetup) -> None:
    """Fill a message with a risk check of the engine."""
    into.id = setup.id
    into.class_path = setup.class_path
    for name, value in setup.params:
        into.params.add(name=name, value=value)


def risk_check_setup_from_pb(message: pb.RiskCheckSetup, bounds: IndexBounds = UNBOUNDED) -> RiskCheckSetup:
    """Return a risk check of the engine; raises DecodeError."""
    return RiskCheckSetup(
        text(message.id, "id"),
        text(message.class_path, "class_path"),
        children("params", message.params, _param_from_pb, bounds),
    )


def config_changed_to_pb(event: ConfigChanged, into: pb.ConfigChanged) -> None:
    """Fill a message with new parameters."""
    into.origin = event.origin
    for strategy in event.strategies:
        strategy_setup_to_pb(strategy, into.strategies.add())
    for check in event.risk:
        risk_check_setup_to_pb(check, into.risk.add())
    into.command_id = event.command_id
    into.position = event.position


def config_changed_from_pb(message: pb.ConfigChanged, bounds: IndexBounds = UNBOUNDED) -> ConfigChanged:
    """Return new parameters; raises DecodeError."""
    return ConfigChanged(
        message.origin,
        children("strategies", message.strategies, strategy_setup_from_pb, bounds),
        children("risk", message.risk, risk_check_setup_from_pb, bounds),
        message.command_id,
        message.position,
    )


def data_setup_to_pb(setup: DataSetup, into: pb.DataSetup) -> None:
    """Fill a message with the setup of user-defined data."""
    into.class_path = setup.class_path
    for name, value in setup.params:
        into.params.add(name=name, value=value)


def data_setup_from_pb(message: pb.DataSetup, bounds: IndexBounds = UNBOUNDED) -> DataSetup:
    """Return the setup of user-defined data; raises DecodeError."""
    params = children("params", message.params, _param_from_pb, bounds)
    return DataSetup(text(message.class_path, "class_path"), params)


def engine_started_to_pb(event: EngineStarted, into: pb.EngineStarted) -> None:
    """Fill a message with the start of an engine."""
    into.engine_id = event.engine_id
    into.mode = event.mode
    into.run = event.run
    into.code = event.code
    into.index.SetInParent()
    indexed_instruments_to_pb(event.index, into.index)
    for account in event.accounts:
        account_setup_to_pb(account, into.accounts.add())
    for strategy in event.strategies:
        strategy_setup_to_pb(strategy, into.strategies.add())
    for check in event.risk:
        risk_check_setup_to_pb(check, into.risk.add())
    into.trading = TRADING_STATES.to_pb(event.trading)
    if event.global_data is not None:
        data_setup_to_pb(event.global_data, into.global_data)
    if event.instrument_data is not None:
        data_setup_to_pb(event.instrument_data, into.instrument_data)


def engine_started_from_pb(message: pb.EngineStarted, bounds: IndexBounds = UNBOUNDED) -> EngineStarted:
    """Return the start of an engine; the index it brings bounds its own parts. Raises DecodeError."""
    index = child(message, "index", message.index, indexed_instruments_from_pb, bounds)
    own = bounds_of(index)
    return EngineStarted(
        text(message.engine_id, "engine_id"),
        text(message.mode, "mode"),
        message.run,
        message.code,
        index,
        children("accounts", message.accounts, account_setup_from_pb, own),
        children("strategies", message.strategies, strategy_setup_from_pb, own),
        TRADING_STATES.from_pb(message.trading, "trading"),
        children("risk", message.risk, risk_check_setup_from_pb, own),
        named("global_data", message.global_data, data_setup_from_pb, own) if message.HasField("global_data") else None,
        named("instrument_data", message.instrument_data, data_setup_from_pb, own)
        if message.HasField("instrument_data")
        else None,
    )


def engine_resumed_to_pb(event: EngineResumed, into: pb.EngineResumed) -> None:
    """Fill a message with the start of a later run."""
    engine_started_to_pb(event.started, into.started)


def engine_resumed_from_pb(message: pb.EngineResumed, bounds: IndexBounds = UNBOUNDED) -> EngineResumed:
    """Return the start of a later run; raises DecodeError."""
    return EngineResumed(child(message, "started", message.started, engine_started_from_pb, bounds))


def code_changed_to_pb(event: CodeChanged, into: pb.CodeChanged) -> None:
    """Fill a message with a change of code."""
    into.before = event.before
    into.after = event.after
    into.state_differs = event.state_differs


def code_changed_from_pb(message: pb.CodeChanged, bounds: IndexBounds = UNBOUNDED) -> CodeChanged:  # noqa: ARG001 - as all readers
    """Return a change of code; raises DecodeError."""
    return CodeChanged(message.before, message.after, message.state_differs)
