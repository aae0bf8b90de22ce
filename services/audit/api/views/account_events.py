"""Show what comes from the accounts, and what becomes of the links to them."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from services.audit.api.views.accounts import AccountSnapshotView, AssetBalanceView, TradeView
from services.audit.api.views.base import View, tag_of
from services.audit.api.views.orders import OrderErrorView, OrderKeyView, OrderView
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
)
from tradebus.core.engine import event as core
from tradebus.core.model.record import Record


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
