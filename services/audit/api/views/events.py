"""Show every event that the engine can process."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag

from services.audit.api.views.accounts import AccountSnapshotView, AssetBalanceView, TradeView
from services.audit.api.views.base import View, tag_of
from services.audit.api.views.commands import CommandActionView
from services.audit.api.views.market import MarketDataView
from services.audit.api.views.orders import OrderErrorView, OrderKeyView, OrderView
from services.audit.api.views.risk import RiskCheckSetupView
from services.audit.api.views.state import IndexView
from services.audit.api.views.strategies import DataSetupView, StrategySetupView
from services.audit.api.views.values import (
    AccountLinkName,
    AssetName,
    DecimalOrNone,
    DecimalText,
    ExchangeName,
    InstrumentName,
    RequestKindName,
    Time,
    TimeOrNone,
    TradingStateName,
    decimals_by_asset,
)
from tradebus.core.engine import command as commands
from tradebus.core.engine import event as core
from tradebus.core.engine import resumed
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.market import event as market
from tradebus.core.model.record import Record


class MarketEventView(View):
    """One item of a venue's feed."""

    SHOWS: ClassVar[type[Record]] = market.MarketEvent

    type: Literal["market_event"] = "market_event"
    time_exchange: Time = Field(validation_alias="time_exchange_ns")
    time_received: Time = Field(validation_alias="time_received_ns")
    exchange: ExchangeName
    instrument: InstrumentName
    sequence: int
    """Counts the instrument's events of one publisher, from 1."""
    data: MarketDataView


class MarketReconnectingView(View):
    """The feed of an exchange was lost and is being restored."""

    SHOWS: ClassVar[type[Record]] = market.MarketReconnecting

    type: Literal["market_reconnecting"] = "market_reconnecting"
    exchange: ExchangeName
    reason: str


class MarketGapView(View):
    """Events of one instrument were lost between market and engine."""

    SHOWS: ClassVar[type[Record]] = market.MarketGap

    type: Literal["market_gap"] = "market_gap"
    exchange: ExchangeName
    instrument: InstrumentName
    first_missing: int
    last_missing: int


class SnapshotReceivedView(View):
    """The venue's view of the whole account."""

    SHOWS: ClassVar[type[Record]] = core.SnapshotReceived

    type: Literal["snapshot_received"] = "snapshot_received"
    snapshot: AccountSnapshotView


class BalanceReceivedView(View):
    """The balance of one asset changed."""

    SHOWS: ClassVar[type[Record]] = core.BalanceReceived

    type: Literal["balance_received"] = "balance_received"
    balance: AssetBalanceView


class OrderReceivedView(View):
    """The venue's view of one order; also the answer to an open request."""

    SHOWS: ClassVar[type[Record]] = core.OrderReceived

    type: Literal["order_received"] = "order_received"
    order: OrderView


class CancelAnsweredView(View):
    """The answer to a cancel: the venue's id and time when accepted, an error when refused."""

    SHOWS: ClassVar[type[Record]] = core.CancelAnswered

    type: Literal["cancel_answered"] = "cancel_answered"
    key: OrderKeyView
    id: str | None
    time_exchange: TimeOrNone = Field(validation_alias="time_exchange_ns")
    error: OrderErrorView | None


class AmendAnsweredView(View):
    """The answer to an amend: the venue's id, time, price and quantity when accepted, an error when refused."""

    SHOWS: ClassVar[type[Record]] = core.AmendAnswered

    type: Literal["amend_answered"] = "amend_answered"
    key: OrderKeyView
    id: str | None
    time_exchange: TimeOrNone = Field(validation_alias="time_exchange_ns")
    price: DecimalOrNone
    quantity: DecimalOrNone
    error: OrderErrorView | None


class RequestInDoubtView(View):
    """No answer to a request will come, and what became of it is not known."""

    SHOWS: ClassVar[type[Record]] = core.RequestInDoubt

    type: Literal["request_in_doubt"] = "request_in_doubt"
    key: OrderKeyView
    request: RequestKindName
    reason: str


class RequestNeverReceivedView(View):
    """A request never reached the venue, and never will."""

    SHOWS: ClassVar[type[Record]] = core.RequestNeverReceived

    type: Literal["request_never_received"] = "request_never_received"
    key: OrderKeyView
    request: RequestKindName
    reason: str


class TradeReceivedView(View):
    """One of our orders was filled, partly or fully."""

    SHOWS: ClassVar[type[Record]] = core.TradeReceived

    type: Literal["trade_received"] = "trade_received"
    trade: TradeView


class FundingReceivedView(View):
    """A funding payment of a position came."""

    SHOWS: ClassVar[type[Record]] = core.FundingReceived

    type: Literal["funding_received"] = "funding_received"
    instrument: InstrumentName
    amount: DecimalText
    """Negative where we paid."""
    asset: AssetName
    time_exchange: Time = Field(validation_alias="time_exchange_ns")
    id: str


class OwnerChangedView(View):
    """Another process took over the account."""

    SHOWS: ClassVar[type[Record]] = core.OwnerChanged

    type: Literal["owner_changed"] = "owner_changed"
    owner: str
    owner_epoch: int


AccountDataView: TypeAlias = Annotated[
    Annotated[SnapshotReceivedView, Tag("snapshot_received")]
    | Annotated[BalanceReceivedView, Tag("balance_received")]
    | Annotated[OrderReceivedView, Tag("order_received")]
    | Annotated[CancelAnsweredView, Tag("cancel_answered")]
    | Annotated[TradeReceivedView, Tag("trade_received")]
    | Annotated[FundingReceivedView, Tag("funding_received")]
    | Annotated[OwnerChangedView, Tag("owner_changed")]
    | Annotated[AmendAnsweredView, Tag("amend_answered")]
    | Annotated[RequestInDoubtView, Tag("request_in_doubt")]
    | Annotated[RequestNeverReceivedView, Tag("request_never_received")],
    Discriminator(tag_of),
]


class AccountEventView(View):
    """One thing that happened on an account, with its key: the tick that caused it, and which of its events this is."""

    SHOWS: ClassVar[type[Record]] = core.AccountEvent

    type: Literal["account_event"] = "account_event"
    exchange: ExchangeName
    cause: int
    ordinal: int
    data: AccountDataView


class AccountReconnectingView(View):
    """The link to an account was lost and is being restored."""

    SHOWS: ClassVar[type[Record]] = core.AccountReconnecting

    type: Literal["account_reconnecting"] = "account_reconnecting"
    exchange: ExchangeName
    reason: str


class AccountLinkChangedView(View):
    """Whether requests can be handed over to an account changed."""

    SHOWS: ClassVar[type[Record]] = core.AccountLinkChanged

    type: Literal["account_link_changed"] = "account_link_changed"
    exchange: ExchangeName
    link: AccountLinkName


class CommandView(View):
    """An operator's command."""

    SHOWS: ClassVar[type[Record]] = commands.Command

    type: Literal["command"] = "command"
    id: str
    origin: str
    """Who sent it."""
    action: CommandActionView
    position: int
    """Its number in the stream of commands; 0 where it did not come from there."""


class TradingStateUpdateView(View):
    """Trading was switched on or off."""

    SHOWS: ClassVar[type[Record]] = core.TradingStateUpdate

    type: Literal["trading_state_update"] = "trading_state_update"
    state: TradingStateName
    origin: str
    """Who did it: an operator's name, "policy", "feed end"."""
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""


class ClockAdvancedView(View):
    """Nothing happened, but time went on."""

    SHOWS: ClassVar[type[Record]] = core.ClockAdvanced

    type: Literal["clock_advanced"] = "clock_advanced"


class TimerFiredView(View):
    """A timer that a strategy set was due."""

    SHOWS: ClassVar[type[Record]] = core.TimerFired

    type: Literal["timer_fired"] = "timer_fired"
    strategy: str
    id: str
    due: Time = Field(validation_alias="due_ns")


class ShutdownView(View):
    """The engine stops."""

    SHOWS: ClassVar[type[Record]] = core.Shutdown

    type: Literal["shutdown"] = "shutdown"
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""
    origin: str
    """Who asked for it; empty where the process was told to end."""


class CommandRejectedView(View):
    """A command came and was not carried out."""

    SHOWS: ClassVar[type[Record]] = commands.CommandRejected

    type: Literal["command_rejected"] = "command_rejected"
    id: str
    """Its idempotency key."""
    origin: str
    """Who sent it."""
    reason: str
    """It expired, or does not fit the engine's instruments."""
    position: int
    """Its number in the stream of commands."""


class FeedEndedView(View):
    """The feed has no more events."""

    SHOWS: ClassVar[type[Record]] = core.FeedEnded

    type: Literal["feed_ended"] = "feed_ended"


class SimulationSetupView(View):
    """How a simulated account behaves."""

    SHOWS: ClassVar[type[Record]] = core.SimulationSetup

    latency_ns: int
    """A whole round trip."""
    fee_maker: DecimalText
    """A fraction of the value in quote."""
    fee_taker: DecimalText
    balances: Annotated[dict[str, DecimalText], BeforeValidator(decimals_by_asset)]
    """What it starts with, by asset."""
    is_market_only: bool
    """Only market orders are taken, and fill whole at the price that they carry."""


class AccountSetupView(View):
    """An account that the engine trades through."""

    SHOWS: ClassVar[type[Record]] = core.AccountSetup

    exchange: ExchangeName
    account: str
    simulation: SimulationSetupView | None
    """Null for a venue's account."""


class EngineStartedView(View):
    """The first record of a journal: all that the initial state is built from."""

    SHOWS: ClassVar[type[Record]] = core.EngineStarted

    type: Literal["engine_started"] = "engine_started"
    engine_id: str
    mode: str
    run: str
    code: str
    index: IndexView
    accounts: list[AccountSetupView]
    strategies: list[StrategySetupView]
    trading: TradingStateName
    risk: list[RiskCheckSetupView]
    global_data: DataSetupView | None
    """Data of the whole engine that the user defined, if any."""
    instrument_data: DataSetupView | None
    """Data of each instrument that the user defined, if any."""


class EngineResumedView(View):
    """The engine went on in its journal, with all that this run of it begins with."""

    SHOWS: ClassVar[type[Record]] = resumed.EngineResumed

    type: Literal["engine_resumed"] = "engine_resumed"
    started: EngineStartedView
    """Its trading state counts for nothing: that of before holds."""


class CodeChangedView(View):
    """The engine went on with other code."""

    SHOWS: ClassVar[type[Record]] = resumed.CodeChanged

    type: Literal["code_changed"] = "code_changed"
    before: str
    after: str
    state_differs: bool
    """The journal gives another state with this code than was recorded; trading is off from here."""


class ConfigChangedView(View):
    """Strategies and risk checks got new parameters."""

    SHOWS: ClassVar[type[Record]] = ConfigChanged

    type: Literal["config_changed"] = "config_changed"
    origin: str
    """Who changed them."""
    strategies: list[StrategySetupView]
    risk: list[RiskCheckSetupView]
    command_id: str
    """The command that asked for it, if one did."""
    position: int
    """That command's number in the stream of commands."""


EventView: TypeAlias = Annotated[
    Annotated[MarketEventView, Tag("market_event")]
    | Annotated[MarketReconnectingView, Tag("market_reconnecting")]
    | Annotated[MarketGapView, Tag("market_gap")]
    | Annotated[AccountEventView, Tag("account_event")]
    | Annotated[AccountReconnectingView, Tag("account_reconnecting")]
    | Annotated[AccountLinkChangedView, Tag("account_link_changed")]
    | Annotated[CommandView, Tag("command")]
    | Annotated[TradingStateUpdateView, Tag("trading_state_update")]
    | Annotated[ClockAdvancedView, Tag("clock_advanced")]
    | Annotated[TimerFiredView, Tag("timer_fired")]
    | Annotated[ShutdownView, Tag("shutdown")]
    | Annotated[FeedEndedView, Tag("feed_ended")]
    | Annotated[EngineStartedView, Tag("engine_started")]
    | Annotated[ConfigChangedView, Tag("config_changed")]
    | Annotated[EngineResumedView, Tag("engine_resumed")]
    | Annotated[CodeChangedView, Tag("code_changed")]
    | Annotated[CommandRejectedView, Tag("command_rejected")],
    Discriminator(tag_of),
]
