"""Hypothesis strategies for every value of the core, and for what the wire adds: anything legal, corners included.

Indices fit ``BOUNDS``: at most ``EXCHANGES`` exchanges, ``ASSETS`` assets and ``INSTRUMENTS`` instruments.
"""

from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tradebus.core.engine.audit.tick import (
    AuditTick,
    DataPatched,
    FailedAmend,
    FailedCancel,
    FailedOpen,
    Halted,
    Origin,
    Output,
    PositionExit,
    RefusedAmend,
    RefusedCancel,
    RefusedOpen,
    RequestsDecided,
    RiskOverridden,
    TimerCleared,
    TimerSet,
)
from tradebus.core.engine.command import (
    AllInstruments,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    Command,
    CommandRejected,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.error import EngineError, EngineErrorKind
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AccountSetup,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    ClockAdvanced,
    DataSetup,
    EngineStarted,
    FeedEnded,
    FundingReceived,
    OrderReceived,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    Shutdown,
    SimulationSetup,
    SnapshotReceived,
    StrategySetup,
    TimerFired,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import (
    BookL1,
    BookL2Snapshot,
    BookL2Update,
    Candle,
    Level,
    Liquidation,
    MarketEvent,
    MarketGap,
    MarketReconnecting,
    PublicTrade,
)
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance, Liquidity, Trade
from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
)
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import (
    SPOT,
    Instrument,
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
)
from tradebus.core.model.order import (
    Amendment,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Expired,
    FullyFilled,
    Open,
    OpenFailed,
    OpenInFlight,
    OpenUnknown,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.wire.codec.bounds import IndexBounds

EXCHANGES: Final = 3
ASSETS: Final = 8
INSTRUMENTS: Final = 5
BOUNDS: Final = IndexBounds(EXCHANGES, ASSETS, INSTRUMENTS)

T = TypeVar("T")
M = TypeVar("M", bound=Enum)


def members(kind: type[M]) -> SearchStrategy[M]:
    """Any member of an enum."""
    return st.sampled_from(list(kind))


def tuples_of(items: SearchStrategy[T], size_max: int = 3) -> SearchStrategy[tuple[T, ...]]:
    """Few of something, in a tuple."""
    return st.lists(items, max_size=size_max).map(tuple)


def _decimal(sign: int, digits: int, exponent: int) -> Decimal:
    return Decimal((sign, tuple(int(digit) for digit in str(digits)), exponent))


def _is_given(number: Decimal) -> bool:
    return number.adjusted() <= 28


# ---------------------------------------------------------------------------------------------- numbers, text, time

given_numbers: Final = st.one_of(
    st.builds(_decimal, st.integers(0, 1), st.integers(0, 10**9), st.integers(-8, 0)),
    st.builds(_decimal, st.integers(0, 1), st.integers(0, 10**29 - 1), st.integers(-28, 28)).filter(_is_given),
)
"""Whatever the core's strict parser takes: 29 digits, 28 decimals, both zeros, trailing zeros."""

computed_numbers: Final = st.one_of(
    given_numbers, st.builds(_decimal, st.integers(0, 1), st.integers(0, 10**29 - 1), st.integers(-99, 99))
)
"""What arithmetic can give besides: more decimals than a venue ever writes."""

times_ns: Final = st.one_of(
    st.integers(1_600_000_000_000_000_000, 1_900_000_000_000_000_000), st.integers(-(2**63), 2**63 - 1)
)
sequences: Final = st.one_of(st.integers(0, 200), st.integers(0, 2**64 - 1))
texts: Final = st.text(max_size=12)
ids: Final = st.text(min_size=1, max_size=12)
exchange_indices: Final = st.integers(0, EXCHANGES - 1).map(ExchangeIndex)
asset_indices: Final = st.integers(0, ASSETS - 1).map(AssetIndex)
instrument_indices: Final = st.integers(0, INSTRUMENTS - 1).map(InstrumentIndex)
order_ids: Final = ids.map(OrderId)
cids: Final = ids.map(ClientOrderId)
strategy_ids: Final = ids.map(StrategyId)

# ---------------------------------------------------------------------------------------------- instruments

_names: Final = st.sampled_from(["btc", "eth", "sol", "usdt", "usd"])
assets: Final = _names.map(lambda name: Asset(name, f"X{name.upper()}"))
exchange_assets: Final = st.builds(ExchangeAsset, members(ExchangeId), assets)
limits: Final = given_numbers.filter(lambda number: number >= 0)
amounts: Final = limits
positive_numbers: Final = given_numbers.filter(lambda number: number > 0)
instrument_specs: Final = st.builds(
    InstrumentSpec,
    limits,
    limits,
    members(QuantityUnit),
    st.none() | assets,
    limits,
    limits,
    limits,
)


@st.composite
def instrument_contracts(draw: st.DrawFn) -> InstrumentContract:
    """Any contract: each kind has its terms and no others."""
    kind = draw(members(InstrumentKind))
    if kind is InstrumentKind.SPOT:
        return SPOT
    is_option = kind is InstrumentKind.OPTION
    return InstrumentContract(
        kind,
        draw(positive_numbers),
        draw(assets),
        None if kind is InstrumentKind.PERPETUAL else draw(times_ns),
        draw(given_numbers) if is_option else None,
        draw(members(OptionKind)) if is_option else None,
        draw(members(OptionExercise)) if is_option else None,
    )


@st.composite
def instrument_definitions(
    draw: st.DrawFn, exchanges: SearchStrategy[ExchangeId] | None = None
) -> InstrumentDefinition:
    """Any instrument: spot and derivatives, with and without a specification."""
    contract = draw(instrument_contracts())
    is_spot = contract.kind is InstrumentKind.SPOT
    return InstrumentDefinition(
        draw(members(ExchangeId) if exchanges is None else exchanges),
        draw(ids),
        draw(ids),
        draw(assets),
        draw(assets),
        QuoteKind.UNDERLYING_QUOTE if is_spot else draw(members(QuoteKind)),
        contract,
        draw(st.none() | instrument_specs),
    )


def indexed_instruments() -> SearchStrategy[IndexedInstruments]:
    """Any index, the empty one included."""
    return st.lists(instrument_definitions(), max_size=4).map(index_instruments)


def instruments() -> SearchStrategy[Instrument]:
    """Any indexed instrument."""
    found = st.lists(instrument_definitions(), min_size=1, max_size=2).map(index_instruments)
    return found.map(lambda index: index.instruments[-1])


# ---------------------------------------------------------------------------------------------- orders

order_keys: Final = st.builds(
    OrderKey, exchange_indices, instrument_indices, strategy_ids, st.just(ClientOrderId("")) | cids
)
order_requests_open: Final = st.builds(
    OrderRequestOpen,
    order_keys,
    members(Side),
    computed_numbers,
    computed_numbers,
    members(OrderKind),
    members(TimeInForce),
)
order_requests_cancel: Final = st.builds(OrderRequestCancel, order_keys, st.none() | order_ids)
order_requests_amend: Final = st.builds(
    OrderRequestAmend, order_keys, st.none() | order_ids, st.none() | computed_numbers, st.none() | computed_numbers
)
amendments: Final = st.builds(Amendment, computed_numbers, computed_numbers, st.booleans())
order_errors: Final = st.builds(OrderError, members(OrderErrorKind), texts, texts)
open_states: Final = st.builds(Open, order_ids, times_ns, computed_numbers)
order_states: Final[SearchStrategy[OrderState]] = st.one_of(
    st.builds(OpenInFlight),
    open_states,
    st.builds(CancelInFlight, st.none() | open_states),
    st.builds(Cancelled, order_ids, times_ns),
    st.builds(FullyFilled),
    st.builds(OpenFailed, order_errors),
    st.builds(Expired),
    st.builds(OpenUnknown),
    st.builds(CancelUnknown, st.none() | open_states),
)
orders: Final = st.builds(
    Order,
    order_keys,
    members(Side),
    computed_numbers,
    computed_numbers,
    members(OrderKind),
    members(TimeInForce),
    order_states,
    computed_numbers,
    st.none() | amendments,
)

# ---------------------------------------------------------------------------------------------- markets

public_trades: Final = st.builds(PublicTrade, ids, given_numbers, amounts, members(Side))
levels: Final = st.builds(Level, given_numbers, amounts)
books_l1: Final = st.builds(BookL1, st.none() | levels, st.none() | levels)
_book_parts: Final = (sequences, st.none() | times_ns, tuples_of(levels), tuples_of(levels))
books_l2: Final = st.builds(BookL2Snapshot, *_book_parts) | st.builds(BookL2Update, *_book_parts)
candles: Final = st.builds(Candle, times_ns, *[given_numbers] * 5, sequences)
liquidations: Final = st.builds(Liquidation, members(Side), given_numbers, amounts)
market_events: Final = st.builds(
    MarketEvent,
    times_ns,
    times_ns,
    exchange_indices,
    instrument_indices,
    sequences,
    st.one_of(public_trades, books_l1, books_l2, candles, liquidations),
)
market_reconnectings: Final = st.builds(MarketReconnecting, exchange_indices, texts)
market_gaps: Final = st.builds(MarketGap, exchange_indices, instrument_indices, sequences, sequences)

# ---------------------------------------------------------------------------------------------- accounts

trades: Final = st.builds(
    Trade,
    ids.map(TradeId),
    order_ids,
    st.just(ClientOrderId("")) | cids,
    instrument_indices,
    strategy_ids,
    times_ns,
    members(Side),
    computed_numbers,
    computed_numbers,
    computed_numbers,
    st.none() | asset_indices,
    members(Liquidity),
)
balances: Final = st.builds(Balance, computed_numbers, computed_numbers)
asset_balances: Final = st.builds(AssetBalance, asset_indices, balances, times_ns)
account_snapshots: Final = st.builds(AccountSnapshot, tuples_of(asset_balances), tuples_of(orders, 2))
account_events: Final = st.builds(
    AccountEvent,
    exchange_indices,
    sequences,
    st.integers(0, 2**32 - 1),
    st.one_of(
        st.builds(SnapshotReceived, account_snapshots),
        st.builds(BalanceReceived, asset_balances),
        st.builds(OrderReceived, orders),
        st.builds(CancelAnswered, order_keys, st.none() | order_ids, st.none() | times_ns, st.none() | order_errors),
        st.builds(TradeReceived, trades),
        st.builds(OwnerChanged, ids, sequences),
        st.builds(FundingReceived, instrument_indices, computed_numbers, asset_indices, times_ns, ids),
        st.builds(
            AmendAnswered,
            order_keys,
            st.none() | order_ids,
            st.none() | times_ns,
            st.none() | computed_numbers,
            st.none() | computed_numbers,
            st.none() | order_errors,
        ),
        st.builds(RequestInDoubt, order_keys, members(RequestKind), texts),
        st.builds(RequestNeverReceived, order_keys, members(RequestKind), texts),
    ),
)
account_reconnectings: Final = st.builds(AccountReconnecting, exchange_indices, texts)

# ---------------------------------------------------------------------------------------------- commands

instrument_filters: Final = st.one_of(
    st.builds(AllInstruments),
    st.builds(ByExchanges, tuples_of(exchange_indices)),
    st.builds(ByInstruments, tuples_of(instrument_indices)),
    st.builds(ByUnderlyings, tuples_of(st.tuples(asset_indices, asset_indices))),
)
command_actions: Final = st.one_of(
    st.builds(SendOpenRequests, tuples_of(order_requests_open, 2), st.booleans()),
    st.builds(SendCancelRequests, tuples_of(order_requests_cancel, 2)),
    st.builds(ClosePositions, instrument_filters, st.booleans()),
    st.builds(SendAmendRequests, tuples_of(order_requests_amend, 2), st.booleans()),
    st.builds(CancelOrders, instrument_filters),
)
commands: Final = st.builds(Command, ids, ids, command_actions)
trading_state_updates: Final = st.builds(TradingStateUpdate, members(TradingState), texts)

# ---------------------------------------------------------------------------------------------- engine

strategy_setups: Final = st.builds(StrategySetup, strategy_ids, ids, tuples_of(st.tuples(ids, texts)))
# Parameters come from a table of the configuration, so each name is there once.
risk_params: Final = st.dictionaries(ids, texts, max_size=3).map(lambda table: tuple(table.items()))
risk_check_setups: Final = st.builds(RiskCheckSetup, ids, ids, risk_params)
configs_changed: Final = st.builds(ConfigChanged, texts, tuples_of(strategy_setups, 2), tuples_of(risk_check_setups, 2))


data_setups: Final = st.builds(DataSetup, ids, tuples_of(st.tuples(ids, texts)))


@st.composite
def engines_started(draw: st.DrawFn) -> EngineStarted:
    """Any start of an engine; accounts use the index that it brings."""
    index = draw(st.lists(instrument_definitions(), min_size=1, max_size=3).map(index_instruments))
    exchange = st.integers(0, len(index.exchanges) - 1).map(ExchangeIndex)
    asset = st.integers(0, len(index.assets) - 1).map(AssetIndex)
    simulation = st.builds(
        SimulationSetup,
        times_ns,
        given_numbers,
        given_numbers,
        tuples_of(st.tuples(asset, given_numbers)),
        st.booleans(),
    )
    account = st.builds(AccountSetup, exchange, ids, st.none() | simulation)
    return EngineStarted(
        draw(ids),
        draw(ids),
        draw(texts),
        draw(texts),
        index,
        draw(tuples_of(account, 2)),
        draw(tuples_of(strategy_setups, 2)),
        draw(members(TradingState)),
        draw(tuples_of(risk_check_setups, 2)),
        draw(st.none() | data_setups),
        draw(st.none() | data_setups),
    )


engine_events: Final[SearchStrategy[EngineEvent]] = st.one_of(
    market_events,
    market_reconnectings,
    market_gaps,
    account_events,
    account_reconnectings,
    st.builds(AccountLinkChanged, exchange_indices, members(AccountLink)),
    commands,
    trading_state_updates,
    st.builds(ClockAdvanced),
    st.builds(TimerFired, strategy_ids, texts, times_ns),
    configs_changed,
    st.builds(Shutdown),
    st.builds(FeedEnded),
    st.builds(CodeChanged, texts, texts, st.booleans()),
    st.builds(CommandRejected, ids, texts, texts, st.integers(0, 2**63 - 1)),
)
"""Every event but the start, which brings an index of its own (``engines_started``)."""

engine_errors: Final = st.builds(EngineError, members(EngineErrorKind), texts)

plain_values: Final[SearchStrategy[object]] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(10**300), 10**300),
        computed_numbers,
        st.text(max_size=8),
        st.binary(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
    ),
    max_leaves=8,
)

positions_exited: Final = st.builds(
    PositionExited,
    instrument_indices,
    members(Side),
    computed_numbers,
    computed_numbers,
    computed_numbers,
    computed_numbers,
    computed_numbers,
    times_ns,
    times_ns,
    sequences,
    texts,
    computed_numbers,
)
requests_decided: Final = st.builds(
    RequestsDecided,
    members(Origin),
    strategy_ids,
    tuples_of(order_requests_cancel, 2),
    tuples_of(order_requests_open, 2),
    tuples_of(st.builds(FailedCancel, order_requests_cancel, engine_errors), 2),
    tuples_of(st.builds(FailedOpen, order_requests_open, engine_errors), 2),
    tuples_of(st.builds(RefusedCancel, order_requests_cancel, texts), 2),
    tuples_of(st.builds(RefusedOpen, order_requests_open, texts), 2),
    tuples_of(order_requests_amend, 2),
    tuples_of(st.builds(FailedAmend, order_requests_amend, engine_errors), 2),
    tuples_of(st.builds(RefusedAmend, order_requests_amend, texts), 2),
)
outputs: Final[SearchStrategy[Output]] = st.one_of(
    requests_decided,
    st.builds(PositionExit, positions_exited),
    st.builds(TimerSet, strategy_ids, texts, times_ns),
    st.builds(TimerCleared, strategy_ids, texts),
    st.builds(DataPatched, strategy_ids, texts, plain_values),
    st.builds(Halted, strategy_ids, texts),
    st.builds(
        RiskOverridden,
        tuples_of(st.builds(RefusedOpen, order_requests_open, texts), 2),
        tuples_of(st.builds(RefusedAmend, order_requests_amend, texts), 2),
    ),
)
audit_ticks: Final = st.builds(
    AuditTick, sequences, times_ns, engine_events, tuples_of(outputs, 2), tuples_of(engine_errors, 2)
)
