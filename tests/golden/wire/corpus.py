"""One message of every kind, between them every field of the contract set to something that is not its default.

``python -m tests.golden.wire.corpus`` writes what is missing beside this file: the bytes, and the value
they mean as text. Files that are there are never written again: they are what an earlier release wrote, and must stay
readable.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.golden.wire.simulation import full_paper_snapshot
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
    ALL_INSTRUMENTS,
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
    AccountData,
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
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
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
    MarketData,
    MarketEvent,
    MarketGap,
    MarketReconnecting,
    PublicTrade,
)
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance, Liquidity, Trade
from tradebus.core.model.asset import Asset
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
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
    spot,
)
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    Amendment,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Open,
    OpenFailed,
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
from tradebus.wire.codec.account_journal import (
    AccountBatch,
    AccountBatchHead,
    AccountEntry,
    AccountRecord,
    Intent,
    Ownership,
    RequestOutcome,
    RequestResult,
    account_batch_from_bytes,
    account_batch_to_bytes,
)
from tradebus.wire.codec.audit import AuditBatch, AuditBatchHead, audit_batch_from_bytes, audit_batch_to_bytes
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes, command_message_to_bytes
from tradebus.wire.codec.dlq import dead_letter, dead_letter_from_bytes, dead_letter_to_bytes
from tradebus.wire.codec.exec import (
    OrderAnswer,
    OrderReply,
    OrderRequests,
    ResolveOrder,
    order_reply_from_bytes,
    order_reply_to_bytes,
    order_requests_from_bytes,
    order_requests_to_bytes,
)
from tradebus.wire.codec.flow import Credit, credit_from_bytes, credit_to_bytes
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition, heartbeat_from_bytes, heartbeat_to_bytes
from tradebus.wire.codec.market import MarketBatch, MarketBatchHead, market_batch_from_bytes, market_batch_to_bytes
from tradebus.wire.codec.paper_snapshot import paper_snapshot_from_bytes, paper_snapshot_to_bytes
from tradebus.wire.codec.positions import (
    JournalMark,
    ReaderPositions,
    reader_positions_from_bytes,
    reader_positions_to_bytes,
)

FOLDER: Final = Path(__file__).parent
T0: Final = 1_764_000_000_123_456_789
CHAIN: Final = bytes(range(16))

DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "account_batch": account_batch_from_bytes,
    "audit_batch": audit_batch_from_bytes,
    "command": command_message_from_bytes,
    "credit": credit_from_bytes,
    "dead_letter": dead_letter_from_bytes,
    "heartbeat": heartbeat_from_bytes,
    "market_batch": market_batch_from_bytes,
    "order_reply": order_reply_from_bytes,
    "order_requests": order_requests_from_bytes,
    "paper_snapshot": paper_snapshot_from_bytes,
    "reader_positions": reader_positions_from_bytes,
}
"""How to read a golden file, by the part of its name before the first ``-``."""

_SPEC: Final = InstrumentSpec(
    Decimal("0.01"),
    Decimal("0.01"),
    QuantityUnit.ASSET,
    Asset("btc", "XBT"),
    Decimal("0.00001"),
    Decimal("0.00001"),
    Decimal(5),
)
_OPTION: Final = InstrumentContract(
    InstrumentKind.OPTION,
    Decimal("0.1"),
    Asset("usdc", "USDC"),
    T0,
    Decimal(100_000),
    OptionKind.PUT,
    OptionExercise.EUROPEAN,
)
_INDEX: Final = index_instruments(
    [
        spot(ExchangeId.BINANCE_SPOT, "XBTUSDT", Asset("btc", "XBT"), Asset("usdt", "USDT"), _SPEC),
        InstrumentDefinition(
            ExchangeId.DERIBIT,
            "deribit-btc_usd_option",
            "BTC-100000-P",
            Asset("btc", "BTC"),
            Asset("usd", "USD"),
            QuoteKind.UNDERLYING_BASE,
            _OPTION,
            None,
        ),
    ]
)
FINGERPRINT: Final = _INDEX.fingerprint()
_KEY: Final = OrderKey(ExchangeIndex(1), InstrumentIndex(1), StrategyId("quoter"), ClientOrderId("demoe1s17n1"))
_OPEN: Final = OrderRequestOpen(
    _KEY, Side.SELL, Decimal("50000.10"), Decimal("0.5"), OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY
)
_CANCEL: Final = OrderRequestCancel(_KEY, OrderId("8231"))
_ERROR: Final = OrderError(OrderErrorKind.BALANCE_INSUFFICIENT, "usdt", "not enough")
_FAILURE: Final = EngineError(EngineErrorKind.LINK_UNHEALTHY, "the link is down")
_TRADE: Final = Trade(
    TradeId("t-1"),
    OrderId("8231"),
    ClientOrderId("demoe1s17n1"),
    InstrumentIndex(1),
    StrategyId("quoter"),
    T0,
    Side.SELL,
    Decimal("50000.10"),
    Decimal("0.5"),
    Decimal("-0.00012"),
    AssetIndex(3),
    Liquidity.MAKER,
)


def _market(instrument: int, sequence: int, data: MarketData) -> MarketEvent:
    return MarketEvent(T0 + 1, T0 + 2, ExchangeIndex(1), InstrumentIndex(instrument), sequence, data)


MARKET_EVENTS: Final = (
    _market(1, 7, PublicTrade("3401234567", Decimal("50000.10"), Decimal("0.0123"), Side.BUY)),
    _market(1, 8, BookL1(Level(Decimal("50000.10"), Decimal("1.5")), Level(Decimal("50000.11"), Decimal("0.25")))),
    _market(0, 1, BookL1(None, None)),
)
_BIDS: Final = (Level(Decimal("50000.10"), Decimal("1.5")), Level(Decimal("49999.90"), Decimal("0.25")))
_ASKS: Final = (Level(Decimal("50000.20"), Decimal(0)),)
RARE_MARKET_EVENTS: Final = (
    _market(1, 9, BookL2Snapshot(1_027_024, T0, _BIDS, _ASKS)),
    _market(1, 10, BookL2Update(1_027_025, None, (), _ASKS)),
    _market(1, 11, BookL2Update(1_027_026, T0 + 4, _BIDS, ())),
    _market(
        1, 12, Candle(T0 + 6, Decimal(5), Decimal("9.5"), Decimal("4.25"), Decimal("7.125"), Decimal("1000.01"), 42)
    ),
    _market(1, 13, Liquidation(Side.SELL, Decimal("18917.15"), Decimal("0.009"))),
)


def _order(state: OrderState) -> Order:
    return Order(
        _KEY, Side.BUY, Decimal("1E-8"), Decimal(1000), OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL, state
    )


_PART: Final = Open(OrderId("8231"), T0, Decimal("0.1"))
_STATES: Final[tuple[OrderState, ...]] = (
    OPEN_IN_FLIGHT,
    _PART,
    CancelInFlight(_PART),
    CancelInFlight(None),
    Cancelled(OrderId("8231"), T0),
    FULLY_FILLED,
    OpenFailed(_ERROR),
    EXPIRED,
)
_BALANCE: Final = AssetBalance(AssetIndex(1), Balance(Decimal("10.5"), Decimal("9.5")), T0)
_ACCOUNT: Final[tuple[AccountData, ...]] = (
    SnapshotReceived(AccountSnapshot((_BALANCE,), tuple(_order(state) for state in _STATES))),
    BalanceReceived(_BALANCE),
    OrderReceived(_order(_PART)),
    CancelAnswered(_KEY, OrderId("8231"), T0, None),
    CancelAnswered(_KEY, None, None, _ERROR),
    TradeReceived(_TRADE),
    OwnerChanged("execution-2", 41),
)
ACCOUNT_EVENTS: Final = tuple(
    AccountEvent(ExchangeIndex(1), 17, ordinal, data) for ordinal, data in enumerate(_ACCOUNT)
)
# What was added later is stored in batches of its own: those that are there stay as they were written.
_DOUBTS: Final[tuple[AccountData, ...]] = (
    *(OrderReceived(_order(state)) for state in (OPEN_UNKNOWN, CancelUnknown(_PART), CancelUnknown(None))),
    RequestInDoubt(_KEY, RequestKind.OPEN, "no answer within 2 s"),
    OrderReceived(_order(_PART).with_fill(Decimal("0.05"))),
    RequestNeverReceived(_KEY, RequestKind.CANCEL, "it never left"),
)
_AMEND: Final = OrderRequestAmend(_KEY, OrderId("8231"), Decimal("50000.20"), Decimal("0.75"))
_AMENDS: Final[tuple[AccountData, ...]] = (
    AmendAnswered(_KEY, OrderId("8232"), T0, Decimal("50000.20"), Decimal("0.75"), None),
    AmendAnswered(_KEY, None, None, None, None, _ERROR),
    OrderReceived(
        _order(_PART)
        .with_fill(Decimal("0.05"))
        .with_terms(Decimal(7), Decimal(8), Amendment(Decimal(9), Decimal(10), True))
    ),
    RequestInDoubt(_KEY, RequestKind.AMEND, "no answer within 2 s"),
)
_ACTIONS: Final = (
    SendOpenRequests((_OPEN,)),
    SendCancelRequests((_CANCEL,)),
    ClosePositions(ByExchanges((ExchangeIndex(1),))),
    ClosePositions(ByInstruments((InstrumentIndex(1), InstrumentIndex(0)))),
    CancelOrders(ByUnderlyings(((AssetIndex(3), AssetIndex(2)),))),
    CancelOrders(ALL_INSTRUMENTS),
)
_OVERRIDES: Final = (
    SendOpenRequests((_OPEN,), override_risk=True),
    ClosePositions(ALL_INSTRUMENTS, override_risk=True),
)
_STRATEGY: Final = StrategySetup(StrategyId("quoter"), "tradebus.strategies.quoter:Quoter", (("spread_bps", "12"),))
_STARTED: Final = EngineStarted(
    "demo",
    "demo",
    "run-1",
    "c0de",
    _INDEX,
    (
        AccountSetup(
            ExchangeIndex(0),
            "binance_spot-paper",
            SimulationSetup(
                50_000_000, Decimal("0.0002"), Decimal("0.001"), ((AssetIndex(1), Decimal("100000.5")),), True
            ),
        ),
        AccountSetup(ExchangeIndex(1), "deribit", None),
    ),
    (_STRATEGY,),
    TradingState.ENABLED,
)
_EVENTS: Final[tuple[EngineEvent, ...]] = (
    _STARTED,
    *MARKET_EVENTS,
    MarketReconnecting(ExchangeIndex(1), "connection reset"),
    MarketGap(ExchangeIndex(1), InstrumentIndex(1), 9, 12),
    *ACCOUNT_EVENTS,
    AccountReconnecting(ExchangeIndex(1), "no heartbeat"),
    AccountLinkChanged(ExchangeIndex(1), AccountLink.UNHEALTHY),
    *(Command(f"cmd-{i}", "operator", action) for i, action in enumerate(_ACTIONS)),
    TradingStateUpdate(TradingState.DISABLED, "operator"),
    ClockAdvanced(),
    TimerFired(StrategyId("quoter"), "requote", T0),
    FeedEnded(),
    Shutdown(),
)
_OUTPUTS: Final[tuple[Output, ...]] = (
    RequestsDecided(
        Origin.ALGO,
        StrategyId("quoter"),
        (_CANCEL, OrderRequestCancel(_KEY, None)),
        (_OPEN,),
        (FailedCancel(_CANCEL, _FAILURE),),
        (FailedOpen(_OPEN, _FAILURE),),
        (RefusedCancel(_CANCEL, "twice"),),
        (RefusedOpen(_OPEN, "too large"),),
    ),
    PositionExit(
        PositionExited(
            InstrumentIndex(1),
            Side.SELL,
            Decimal("50000.123456789012345678901234567"),
            Decimal(2),
            Decimal("-12.5"),
            Decimal("0.1"),
            Decimal("0.2"),
            T0,
            T0 + 5,
            3,
            "00ff",
            Decimal(0),
        )
    ),
    TimerSet(StrategyId("quoter"), "requote", T0 + 9),
    TimerCleared(StrategyId("quoter"), "requote"),
    DataPatched(
        StrategyId("quoter"),
        "memory",
        {
            "none": None,
            "list": [True, False, 0, -(10**20), 10**100],
            "tuple": (Decimal("1.50"), Decimal("-0"), "text", b"\x00\xff", ()),
            "empty": {},
        },
    ),
    Halted(StrategyId("quoter"), "KeyError: 'x'"),
)
_CHECK: Final = RiskCheckSetup("max_position", "tradebus.core.risk.checks.position:MaxPosition", (("btc", "1.5"),))
_CHANGED: Final = ConfigChanged("operator", (_STRATEGY,), (_CHECK,))
_RISK_EVENTS: Final[tuple[EngineEvent, ...]] = (
    EngineStarted("demo", "demo", "run-2", "c0de", _INDEX, (), (_STRATEGY,), TradingState.DISABLED, (_CHECK,)),
    _CHANGED,
    *(Command(f"cmd-{i}", "operator", action) for i, action in enumerate(_OVERRIDES)),
)
_RISK_OUTPUTS: Final[tuple[Output, ...]] = (RiskOverridden((RefusedOpen(_OPEN, "max_position: too much"),)),)


_FUNDING: Final = AccountEvent(
    ExchangeIndex(1), 0, 0, FundingReceived(InstrumentIndex(1), Decimal("-0.000125"), AssetIndex(1), T0, "f-1")
)
_FUNDED: Final = PositionExit(
    PositionExited(
        InstrumentIndex(1),
        Side.BUY,
        Decimal(50000),
        Decimal(2),
        Decimal("-0.000125"),
        Decimal(0),
        Decimal(0),
        T0,
        T0 + 5,
        2,
        "00ff",
        Decimal("-0.000125"),
    )
)


def _ticks() -> tuple[AuditTick, ...]:
    return tuple(
        AuditTick(i, T0 + i, event, _OUTPUTS if i == 1 else (), (_FAILURE,) if isinstance(event, Shutdown) else ())
        for i, event in enumerate(_EVENTS)
    )


def _risk_ticks() -> tuple[AuditTick, ...]:
    return tuple(AuditTick(i, T0 + i, event, _RISK_OUTPUTS, ()) for i, event in enumerate(_RISK_EVENTS))


def corpus() -> dict[str, tuple[object, bytes]]:
    """Return values and their bytes by name."""
    ticks = _ticks()
    audit = AuditBatch(
        AuditBatchHead("demo", 1, 0, len(ticks) - 1, bytes(16), FINGERPRINT, 1, "00" * 16, "ff" * 16), ticks
    )
    audit_next = AuditBatch(
        AuditBatchHead("demo", 1, len(ticks), len(ticks), CHAIN, FINGERPRINT, 0),
        (AuditTick(len(ticks), T0, ClockAdvanced(), (), ()),),
    )
    with_data = EngineStarted(
        "demo",
        "demo",
        "run-2",
        "c0de",
        _INDEX,
        (),
        (),
        TradingState.DISABLED,
        (),
        DataSetup("mine:Totals", (("since", "1"),)),
        DataSetup("mine:PerStrategy", ()),
    )
    audit_data = AuditBatch(
        AuditBatchHead("demo", 2, 9, 9, CHAIN, FINGERPRINT, 0), (AuditTick(9, T0, with_data, (), ()),)
    )
    audit_funding = AuditBatch(
        AuditBatchHead("demo", 1, 1, 1, CHAIN, FINGERPRINT, 0), (AuditTick(1, T0, _FUNDING, (_FUNDED,), ()),)
    )
    risk = _risk_ticks()
    audit_risk = AuditBatch(AuditBatchHead("demo", 1, 0, len(risk) - 1, bytes(16), FINGERPRINT, 0), risk)
    resumed = (EngineResumed(with_data), CodeChanged("c0de", "c0de-2", state_differs=True))
    audit_resumed = AuditBatch(
        AuditBatchHead("demo", 3, 9, 10, CHAIN, FINGERPRINT, 0),
        tuple(AuditTick(9 + i, T0, event, (), ()) for i, event in enumerate(resumed)),
    )
    commanded = (
        Command("cmd-1", "operator", _ACTIONS[-1], 41),
        TradingStateUpdate(TradingState.ENABLED, "operator", "cmd-2", 42),
        ConfigChanged("operator", (_STRATEGY,), (), "cmd-3", 43),
        Shutdown("cmd-4", 44),
    )
    rejected = (
        CommandRejected("cmd-5", "operator", "command cmd-5 expired before it was read", 45),
        Shutdown("cmd-6", 46, "operator"),
    )
    audit_rejected = AuditBatch(
        AuditBatchHead("demo", 1, 0, 1, bytes(16), FINGERPRINT, 0),
        tuple(AuditTick(i, T0, event, (), ()) for i, event in enumerate(rejected)),
    )
    audit_commanded = AuditBatch(
        AuditBatchHead("demo", 1, 0, 3, bytes(16), FINGERPRINT, 0),
        tuple(AuditTick(i, T0, event, (), ()) for i, event in enumerate(commanded)),
    )
    records: tuple[AccountRecord, ...] = (
        Ownership("execution-1", 3),
        *ACCOUNT_EVENTS,
        Intent("live", 2, 17, T0 + 5, _OPEN),
        Intent("live", 2, 18, T0 + 5, _CANCEL),
        RequestResult(_KEY, 2, RequestOutcome.NEVER_RECEIVED, "not in our journal"),
        AccountReconnecting(ExchangeIndex(1), "connection reset"),
    )
    account = AccountBatch(
        AccountBatchHead("deribit", "execution-1", 3, 5, 5 + len(records) - 1, CHAIN, 18, FINGERPRINT),
        tuple(AccountEntry(T0 + i, record) for i, record in enumerate(records)),
    )
    doubts = AccountBatch(
        AccountBatchHead("deribit", "execution-1", 3, 0, len(_DOUBTS) - 1, CHAIN, 18, FINGERPRINT),
        tuple(AccountEntry(T0 + i, AccountEvent(ExchangeIndex(1), 0, 0, data)) for i, data in enumerate(_DOUBTS)),
    )
    amends: tuple[AccountRecord, ...] = (
        Intent("live", 2, 19, T0 + 5, _AMEND),
        *(AccountEvent(ExchangeIndex(1), 0, 0, data) for data in _AMENDS),
    )
    amended = AccountBatch(
        AccountBatchHead("deribit", "execution-1", 3, 0, len(amends) - 1, CHAIN, 18, FINGERPRINT),
        tuple(AccountEntry(T0 + i, record) for i, record in enumerate(amends)),
    )
    answered = AccountBatch(
        AccountBatchHead("deribit", "execution-1", 3, 0, 1, CHAIN, 0, FINGERPRINT),
        (
            AccountEntry(T0, Intent("live", 2, 18, T0 + 5, _CANCEL)),
            AccountEntry(T0 + 1, AccountEvent(ExchangeIndex(1), 2, 1, _DOUBTS[0]), request=0),
        ),
    )
    decided = RequestsDecided(
        Origin.COMMAND_AMEND_ORDERS,
        StrategyId("unknown"),
        (),
        (),
        (),
        (),
        (),
        (),
        (_AMEND, OrderRequestAmend(_KEY, None, None, Decimal(1)), OrderRequestAmend(_KEY, None, Decimal(1), None)),
        (FailedAmend(_AMEND, _FAILURE),),
        (RefusedAmend(_AMEND, "nothing would change"),),
    )
    amending = Command("cmd-9", "operator", SendAmendRequests((_AMEND,)))
    audit_amends = AuditBatch(
        AuditBatchHead("demo", 1, 0, 0, bytes(16), FINGERPRINT, 0), (AuditTick(0, T0, amending, (decided,), ()),)
    )
    forced = Command("cmd-10", "operator", SendAmendRequests((_AMEND,), override_risk=True))
    overridden = RiskOverridden((), (RefusedAmend(_AMEND, "max_position: too much"),))
    audit_overridden = AuditBatch(
        AuditBatchHead("demo", 1, 0, 0, bytes(16), FINGERPRINT, 0), (AuditTick(0, T0, forced, (overridden,), ()),)
    )
    requests_amend = OrderRequests("live", 2, 17, T0 + 5, (_AMEND,))
    market = MarketBatch(
        MarketBatchHead("market-1", 2, "deribit", 1, 40, FINGERPRINT, is_last=True, feed_total=43),
        (*MARKET_EVENTS, MarketReconnecting(ExchangeIndex(1), "connection reset")),
    )
    rare = MarketBatch(MarketBatchHead("market-1", 2, "deribit", 1, 44, FINGERPRINT), RARE_MARKET_EVENTS)
    commands = {
        f"command-{i}": CommandMessage(f"cmd-{i}", "operator", T0, T0 + 60, Command(f"cmd-{i}", "operator", action))
        for i, action in enumerate((*_ACTIONS, *_OVERRIDES))
    }
    commands["command-trading"] = CommandMessage(
        "cmd-7", "operator", T0, 0, TradingStateUpdate(TradingState.DISABLED, "operator")
    )
    commands["command-config"] = CommandMessage("cmd-9", "operator", T0, 0, _CHANGED)
    commands["command-shutdown"] = CommandMessage("cmd-8", "operator", T0, 0, Shutdown())
    requests = OrderRequests("live", 2, 17, T0 + 5, (_OPEN, _CANCEL, ResolveOrder(_KEY)))
    reply = OrderReply(
        "deribit",
        "execution-1",
        3,
        (
            OrderAnswer(ClientOrderId("demoe1s17n1"), 9, None, ""),
            OrderAnswer(ClientOrderId("demoe1s17n2"), 10, RequestOutcome.EXPIRED, "2 s late"),
        ),
    )
    heartbeat = Heartbeat(
        "market",
        "market-1",
        "paper",
        T0,
        "running",
        (StreamPosition("md.deribit.1", 2, 43),),
        ("feed.deribit",),
    )
    positions = ReaderPositions(
        "engine.paper",
        "engine-1",
        T0,
        (JournalMark("AUDIT_paper", 9000, "0f" * 16, 450_000), JournalMark("CMD_paper")),
    )
    credit = Credit("run-1", 4096, 1024, 1025)
    paper = full_paper_snapshot()
    letter = dead_letter("engine", "md.deribit.1", "expected a MarketBatch, found none", b"\x00\x01", T0, 12)
    return {
        "audit_batch-first": (audit, audit_batch_to_bytes(audit)),
        "audit_batch-risk": (audit_risk, audit_batch_to_bytes(audit_risk)),
        "audit_batch-next": (audit_next, audit_batch_to_bytes(audit_next)),
        "audit_batch-data": (audit_data, audit_batch_to_bytes(audit_data)),
        "audit_batch-commanded": (audit_commanded, audit_batch_to_bytes(audit_commanded)),
        "audit_batch-rejected": (audit_rejected, audit_batch_to_bytes(audit_rejected)),
        "audit_batch-resumed": (audit_resumed, audit_batch_to_bytes(audit_resumed)),
        "audit_batch-funding": (audit_funding, audit_batch_to_bytes(audit_funding)),
        "account_batch-all": (account, account_batch_to_bytes(account)),
        "account_batch-doubts": (doubts, account_batch_to_bytes(doubts)),
        "account_batch-amends": (amended, account_batch_to_bytes(amended)),
        "account_batch-answered": (answered, account_batch_to_bytes(answered)),
        "audit_batch-overridden": (audit_overridden, audit_batch_to_bytes(audit_overridden)),
        "audit_batch-amends": (audit_amends, audit_batch_to_bytes(audit_amends)),
        "order_requests-amends": (requests_amend, order_requests_to_bytes(requests_amend)),
        "market_batch-all": (market, market_batch_to_bytes(market)),
        "market_batch-rare": (rare, market_batch_to_bytes(rare)),
        **{name: (message, command_message_to_bytes(message)) for name, message in commands.items()},
        "order_requests-all": (requests, order_requests_to_bytes(requests)),
        "order_reply-all": (reply, order_reply_to_bytes(reply)),
        "heartbeat-all": (heartbeat, heartbeat_to_bytes(heartbeat)),
        "credit-all": (credit, credit_to_bytes(credit)),
        "reader_positions-all": (positions, reader_positions_to_bytes(positions)),
        "dead_letter-all": (letter, dead_letter_to_bytes(letter)),
        "paper_snapshot-all": (paper, paper_snapshot_to_bytes(paper)),
    }


def decode(name: str, payload: bytes) -> object:
    """Return the value in the bytes of a golden file of that name."""
    return DECODERS[name.partition("-")[0]](payload)


ADDED_LATER: Final = (
    ", origin=''",
    ", quantity_traded=Decimal('0'), amendment=None",
    ", amends_sent=(), amends_failed=(), amends_refused=()",
    ", command_id='', position=0",
    "command_id='', position=0",
    ", position=0",
    ", request=None",
)
"""Fields that earlier files do not have, as they show when they were not written: left out of the text."""


def shown(value: object) -> str:
    """Return the value as text, an item of a batch per line."""
    text = repr(value).replace(", AuditTick(", ",\nAuditTick(").replace(", AccountEntry(", ",\nAccountEntry(") + "\n"
    for field in ADDED_LATER:
        text = text.replace(f"{field})", ")")
    return text


if __name__ == "__main__":
    for file, (content, encoded) in corpus().items():
        if not (FOLDER / f"{file}.bin").exists():
            (FOLDER / f"{file}.bin").write_bytes(encoded)
            (FOLDER / f"{file}.txt").write_text(shown(content), encoding="utf-8")
