"""The whole trading state in a snapshot: ``EngineState`` of ``snapshot.proto``, part by part."""

from typing import Final, TypeVar

from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.engine.state.commands import AppliedCommand, CommandLog
from tradebus.core.engine.state.connectivity import ConnectivityState
from tradebus.core.engine.state.engine_state import AccountCursor, EngineState, Timer
from tradebus.core.engine.state.link import Health
from tradebus.core.engine.state.numbering import OrderNumbering
from tradebus.core.engine.state.risk import PER_ENGINE, PER_EXCHANGE, RiskCheckState, RiskState
from tradebus.core.engine.state.strategy_data import KeptData, StrategyData, StrategyState
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.core.model.asset import ExchangeAsset
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire.codec.account import balance_from_pb, balance_to_pb
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, bounds_of
from tradebus.wire.codec.engine import (
    ACCOUNT_LINKS,
    TRADING_STATES,
    risk_check_setup_from_pb,
    risk_check_setup_to_pb,
    strategy_setup_from_pb,
    strategy_setup_to_pb,
)
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import DataNotRestored, EncodeError, Inconsistent
from tradebus.wire.codec.instrument import indexed_instruments_from_pb, indexed_instruments_to_pb
from tradebus.wire.codec.parts import (
    child,
    children,
    named,
    text,
)
from tradebus.wire.codec.plain import plain_dict_from_pb, plain_dict_to_pb
from tradebus.wire.codec.snapshot_instrument import instrument_state_from_pb, instrument_state_to_pb
from tradebus.wire.codec.snapshot_user import global_data_state_from_pb, global_data_state_to_pb
from tradebus.wire.pb.v1 import snapshot_pb2 as pb

HEALTHS: Final = EnumCodec(Health, pb.Health)

T = TypeVar("T")


def engine_state_to_pb(state: EngineState, into: pb.EngineState) -> None:
    """Fill a message with the whole state; raises EncodeError for one that cannot be told from its index."""
    index = state.index
    _check_told_by(index.assets, [part.asset for part in state.assets], "asset")
    _check_told_by(index.instruments, [part.instrument for part in state.instruments], "instrument")
    indexed_instruments_to_pb(index, into.index)
    into.trading = TRADING_STATES.to_pb(state.trading)
    for links in state.connectivity:
        connectivity_state_to_pb(links, into.connectivity.add())
    for asset in state.assets:
        asset_state_to_pb(asset, into.assets.add())
    for instrument in state.instruments:
        instrument_state_to_pb(instrument, into.instruments.add())
    for strategy in state.strategies:
        strategy_state_to_pb(strategy, into.strategies.add())
    for cursor in state.cursors:
        account_cursor_to_pb(cursor, into.cursors.add())
    for timer in state.timers:
        timer_to_pb(timer, into.timers.add())
    for check in state.risk.checks:
        risk_check_state_to_pb(check, into.risk.checks.add())
    into.numbering.engine_id = state.numbering.engine_id
    into.numbering.epoch = state.numbering.epoch
    into.numbering.sequence = state.numbering.sequence
    into.numbering.ordinal = state.numbering.ordinal
    if state.global_data is not None:
        global_data_state_to_pb(state.global_data, into.global_data)
    into.commands.position = state.commands.position
    for command in state.commands.applied:
        into.commands.applied.add(id=command.id, time_ns=command.time_ns)


def engine_state_from_pb(
    message: pb.EngineState, make_data: StrategyDataFactory, make_user_data: UserDataFactory = no_user_data
) -> EngineState:
    """Return the whole state; raises DecodeError.

    ``make_data`` gives what each strategy remembers at first, ``make_user_data`` the user-defined data.
    """
    index = child(message, "index", message.index, indexed_instruments_from_pb, UNBOUNDED)
    bounds = bounds_of(index)
    _check_count("connectivity", len(message.connectivity), bounds.exchanges)
    _check_count("assets", len(message.assets), bounds.assets)
    _check_count("instruments", len(message.instruments), bounds.instruments)
    _check_count("cursors", len(message.cursors), bounds.exchanges)
    assets = iter(index.assets)
    instruments = iter(index.instruments)
    return EngineState(
        index,
        TRADING_STATES.from_pb(message.trading, "trading"),
        list(children("connectivity", message.connectivity, connectivity_state_from_pb, bounds)),
        list(
            children("assets", message.assets, lambda part, own: asset_state_from_pb(part, next(assets), own), bounds)
        ),
        list(
            children(
                "instruments",
                message.instruments,
                lambda part, own: instrument_state_from_pb(part, index, next(instruments), make_user_data, own),
                bounds,
            )
        ),
        list(
            children(
                "strategies",
                message.strategies,
                lambda part, own: strategy_state_from_pb(part, index, make_data, own),
                bounds,
            )
        ),
        list(children("cursors", message.cursors, account_cursor_from_pb, bounds)),
        list(children("timers", message.timers, timer_from_pb, bounds)),
        RiskState(list(children("checks", message.risk.checks, risk_check_state_from_pb, bounds))),
        child(message, "numbering", message.numbering, _numbering_from_pb, bounds),
        named(
            "global_data",
            message.global_data,
            lambda part, own: global_data_state_from_pb(part, index, make_user_data, own),
            bounds,
        )
        if message.HasField("global_data")
        else None,
        CommandLog(
            message.commands.position,
            [AppliedCommand(text(part.id, "id"), part.time_ns) for part in message.commands.applied],
        ),
    )


def _numbering_from_pb(message: pb.OrderNumbering, _bounds: IndexBounds) -> OrderNumbering:
    engine_id = text(message.engine_id, "engine_id")
    return OrderNumbering(engine_id, message.epoch, message.sequence, message.ordinal)


def _check_told_by(indexed: list[T], held: list[T], name: str) -> None:
    if indexed is not held and indexed != held:
        raise EncodeError(f"expected the state of each {name} of the index, in its order, found others")


def _check_count(name: str, found: int, expected: int) -> None:
    if found != expected:
        raise Inconsistent(f"expected {expected}, as the index has them, found {found}", name)


def connectivity_state_to_pb(links: ConnectivityState, into: pb.ConnectivityState) -> None:
    """Fill a message with the links of an exchange."""
    into.market_data = HEALTHS.to_pb(links.market_data)
    into.account = HEALTHS.to_pb(links.account)
    into.link = ACCOUNT_LINKS.to_pb(links.link)


def connectivity_state_from_pb(
    message: pb.ConnectivityState,
    bounds: IndexBounds = UNBOUNDED,  # noqa: ARG001 - as all readers
) -> ConnectivityState:
    """Return the links of an exchange; raises DecodeError."""
    return ConnectivityState(
        HEALTHS.from_pb(message.market_data, "market_data"),
        HEALTHS.from_pb(message.account, "account"),
        ACCOUNT_LINKS.from_pb(message.link, "link"),
    )


def asset_state_to_pb(state: AssetState, into: pb.AssetState) -> None:
    """Fill a message with what is owned of an asset."""
    if state.balance is not None:
        balance_to_pb(state.balance, into.balance)
    into.time_exchange_ns = state.time_exchange_ns


def asset_state_from_pb(message: pb.AssetState, asset: ExchangeAsset, bounds: IndexBounds = UNBOUNDED) -> AssetState:
    """Return what is owned of an asset; raises DecodeError."""
    has_balance = message.HasField("balance")
    balance = named("balance", message.balance, balance_from_pb, bounds) if has_balance else None
    return AssetState(asset, balance, message.time_exchange_ns)


def strategy_state_to_pb(state: StrategyState, into: pb.StrategyState) -> None:
    """Fill a message with a strategy; what it remembers is left out where it is not known here."""
    strategy_setup_to_pb(state.setup, into.setup)
    plain = state.plain()
    if plain is not None:
        try:
            plain_dict_to_pb(plain, into.data)
        except EncodeError as error:
            raise EncodeError(f"what strategy {state.setup.id} remembers: {error}") from None
    into.failure = state.failure
    into.is_halted = state.is_halted


def strategy_state_from_pb(
    message: pb.StrategyState,
    index: IndexedInstruments,
    make_data: StrategyDataFactory,
    bounds: IndexBounds = UNBOUNDED,
) -> StrategyState:
    """Return a strategy; what it remembers is kept as plain values where its class is not available."""
    setup = child(message, "setup", message.setup, strategy_setup_from_pb, bounds)
    data: StrategyData | None = None
    if message.HasField("data"):
        plain = named("data", message.data, plain_dict_from_pb, bounds)
        data = _restored(plain, setup, index, make_data)
    return StrategyState(setup, data, message.failure, message.is_halted)


def _restored(
    plain: dict[str, object], setup: StrategySetup, index: IndexedInstruments, make_data: StrategyDataFactory
) -> StrategyData:
    try:
        data = make_data(setup, index)
        if data is None:
            return KeptData(plain)
        data.from_plain(plain)
        is_same = canonical_text(data.to_plain()) == canonical_text(plain)
    except Exception as error:
        # User code may raise anything.
        reason = f"strategy {setup.id}: taking back its data raised {type(error).__name__}: {error}"
        raise DataNotRestored(reason, "data") from error
    if not is_same:
        reason = f"strategy {setup.id}: {type(data).__name__} does not remember what it was given"
        raise DataNotRestored(reason, "data")
    return data


def account_cursor_to_pb(cursor: AccountCursor, into: pb.AccountCursor) -> None:
    """Fill a message with how far an account's events are applied."""
    into.cause = cursor.cause
    into.ordinal = cursor.ordinal


def account_cursor_from_pb(message: pb.AccountCursor, bounds: IndexBounds = UNBOUNDED) -> AccountCursor:  # noqa: ARG001 - as all readers
    """Return how far an account's events are applied."""
    return AccountCursor(message.cause, message.ordinal)


def timer_to_pb(timer: Timer, into: pb.Timer) -> None:
    """Fill a message with a timer."""
    into.strategy = timer.strategy
    into.id = timer.id
    into.due_ns = timer.due_ns


def timer_from_pb(message: pb.Timer, bounds: IndexBounds = UNBOUNDED) -> Timer:  # noqa: ARG001 - as all readers
    """Return a timer; raises DecodeError."""
    return Timer(StrategyId(text(message.strategy, "strategy")), message.id, message.due_ns)


def risk_check_state_to_pb(state: RiskCheckState, into: pb.RiskCheckState) -> None:
    """Fill a message with what a risk check needs."""
    risk_check_setup_to_pb(state.setup, into.setup)
    for times in state.sent:
        into.sent.add().times_ns.extend(times)


def risk_check_state_from_pb(message: pb.RiskCheckState, bounds: IndexBounds = UNBOUNDED) -> RiskCheckState:
    """Return what a risk check needs; raises DecodeError."""
    setup = child(message, "setup", message.setup, risk_check_setup_from_pb, bounds)
    found = RiskCheckState(setup, [list(sent.times_ns) for sent in message.sent])
    slots = {"": 0, PER_ENGINE: 1, PER_EXCHANGE: bounds.exchanges}[found.scope()]
    if len(found.sent) != slots:
        raise Inconsistent(f"expected {slots} lists of times, found {len(found.sent)}", "sent")
    return found
