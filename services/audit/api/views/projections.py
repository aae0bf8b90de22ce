"""Show what grows with the journal: fills, closed positions, the life of orders, links, trading."""

from pydantic import AliasPath, Field

from services.audit.api.views.base import View
from services.audit.api.views.orders import OrderStateView
from services.audit.api.views.positions import AssetAmountView
from services.audit.api.views.values import (
    AccountLinkName,
    AssetNameOrNone,
    DecimalOrNone,
    DecimalText,
    ExchangeName,
    HealthName,
    InstrumentName,
    LiquidityName,
    OrderKindName,
    OrderStatusName,
    SideName,
    StepKindName,
    TextOrNone,
    Time,
    TimeInForceName,
    TimeOrNever,
    TradingStateName,
)


class FillView(View):
    """A fill of ours, with the step of the engine that recorded it."""

    sequence: int
    time_engine: Time = Field(validation_alias="time_ns")
    exchange: ExchangeName
    id: str = Field(validation_alias=AliasPath("trade", "id"))
    """The venue's trade id."""
    order_id: str = Field(validation_alias=AliasPath("trade", "order_id"))
    """The venue's order id."""
    cid: str = Field(validation_alias=AliasPath("trade", "cid"))
    """Our client order id."""
    instrument: InstrumentName = Field(validation_alias=AliasPath("trade", "instrument"))
    strategy: str = Field(validation_alias=AliasPath("trade", "strategy"))
    time_exchange: Time = Field(validation_alias=AliasPath("trade", "time_exchange_ns"))
    side: SideName = Field(validation_alias=AliasPath("trade", "side"))
    price: DecimalText = Field(validation_alias=AliasPath("trade", "price"))
    quantity: DecimalText = Field(validation_alias=AliasPath("trade", "quantity"))
    value_quote: DecimalText = Field(validation_alias=AliasPath("trade", "value_quote"))
    """Price times quantity, in quote."""
    fees: DecimalText = Field(validation_alias=AliasPath("trade", "fees"))
    """In `fees_asset`; negative for a rebate."""
    fees_asset: AssetNameOrNone = Field(validation_alias=AliasPath("trade", "fees_asset"))
    """Null: the asset of the instrument's PnL, its quote or what it settles in."""
    liquidity: LiquidityName = Field(validation_alias=AliasPath("trade", "liquidity"))


class ExitView(View):
    """A closed position, with the step of the engine that closed it."""

    sequence: int
    time_engine: Time = Field(validation_alias="time_ns")
    instrument: InstrumentName = Field(validation_alias=AliasPath("exited", "instrument"))
    side: SideName = Field(validation_alias=AliasPath("exited", "side"))
    """"buy" was long."""
    price_entry_average: DecimalText = Field(validation_alias=AliasPath("exited", "price_entry_average"))
    quantity_abs_max: DecimalText = Field(validation_alias=AliasPath("exited", "quantity_abs_max"))
    pnl_realised: DecimalText = Field(validation_alias=AliasPath("exited", "pnl_realised"))
    """All fees taken off."""
    fees_enter: DecimalText = Field(validation_alias=AliasPath("exited", "fees_enter"))
    fees_exit: DecimalText = Field(validation_alias=AliasPath("exited", "fees_exit"))
    funding: DecimalText = Field(validation_alias=AliasPath("exited", "funding"))
    """Inside the realised PnL; negative where we paid."""
    time_enter: Time = Field(validation_alias=AliasPath("exited", "time_enter_ns"))
    time_exit: Time = Field(validation_alias=AliasPath("exited", "time_exit_ns"))
    trade_count: int = Field(validation_alias=AliasPath("exited", "trade_count"))
    trade_digest: str = Field(validation_alias=AliasPath("exited", "trade_digest"))
    """Over the ids of its fills, in order."""


class OrderStepView(View):
    """One thing that happened to an order."""

    sequence: int
    time_engine: Time = Field(validation_alias="time_ns")
    kind: StepKindName
    status: OrderStatusName
    """Where the order stood afterwards."""
    note: TextOrNone
    """A reason, or a fill's quantity and price."""


class OrderSummaryView(View):
    """An order from its request to where it stands now."""

    cid: str = Field(validation_alias=AliasPath("order", "key", "cid"))
    """Our client order id."""
    exchange: ExchangeName = Field(validation_alias=AliasPath("order", "key", "exchange"))
    instrument: InstrumentName = Field(validation_alias=AliasPath("order", "key", "instrument"))
    strategy: str = Field(validation_alias=AliasPath("order", "key", "strategy"))
    side: SideName = Field(validation_alias=AliasPath("order", "side"))
    price: DecimalText = Field(validation_alias=AliasPath("order", "price"))
    quantity: DecimalText = Field(validation_alias=AliasPath("order", "quantity"))
    kind: OrderKindName = Field(validation_alias=AliasPath("order", "kind"))
    time_in_force: TimeInForceName = Field(validation_alias=AliasPath("order", "time_in_force"))
    status: OrderStatusName
    reason: TextOrNone
    """Why it was refused, not sent or failed."""
    state: OrderStateView = Field(validation_alias=AliasPath("order", "state"))
    """As the venue told it last."""
    filled_quantity: DecimalText
    price_average: DecimalOrNone
    """Of its fills; null before the first."""
    fees: list[AssetAmountView]
    """Paid for its fills, by asset; negative for rebates."""
    sequence_first: int
    """The tick that it was first seen in."""
    sequence_last: int
    """The tick that changed it last."""


class OrderLifeView(OrderSummaryView):
    """An order with everything that happened to it."""

    steps: list[OrderStepView]
    steps_dropped: int
    """How many steps after the first are no longer kept; the journal has them."""


class TradingChangeView(View):
    """The last change of the trading state."""

    sequence: int
    time_engine: Time = Field(validation_alias="time_ns")
    state: TradingStateName
    origin: str
    """Who did it: an operator's name, "start", "feed end", "halt of ema"."""
    reason: TextOrNone
    """What a halt was for."""


class TradingView(View):
    """Whether algorithmic trading is on, since when, and by whom."""

    state: TradingStateName
    changed: TradingChangeView | None
    strategies_failed: list[str]
    """Strategies that failed and are not asked any more."""


class LinkView(View):
    """One link of an exchange."""

    health: HealthName
    messages: int
    time_last: TimeOrNever
    """Engine time of the last message; null: never."""
    age_ms: int | None
    """How long ago that was, in engine time."""
    reconnects: int
    reconnect_sequence: int | None
    """The tick of the last reconnection."""
    reconnect_reason: str | None


class MarketLinkView(LinkView):
    """The feed of an exchange."""

    gaps: int
    """How often events were lost between market and engine."""
    events_missing: int
    publisher: str | None
    """The process that publishes it at this moment, by its heartbeats."""
    publisher_epoch: int | None


class AccountLinkView(LinkView):
    """The account on an exchange."""

    name: str
    link: AccountLinkName
    """Whether it takes requests."""
    owner: str | None
    """The process that owns it, where one said so."""
    owner_epoch: int | None
    lease: str | None
    """The process that holds its lease at this moment: whoever may try to own it."""


class ExchangeConnectivityView(View):
    """Both links of one exchange."""

    exchange: str
    is_healthy: bool
    market_data: MarketLinkView
    account: AccountLinkView | None
    """Null where the exchange is watched and not traded on."""


class ConnectivityView(View):
    """All links."""

    health: HealthName
    leader: str | None
    """The process that holds the engine's lease at this moment."""
    leader_epoch: int
    """The epoch of the engine's last run."""
    exchanges: list[ExchangeConnectivityView]
