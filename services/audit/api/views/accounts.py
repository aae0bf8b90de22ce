"""Show balances, fills and account snapshots."""

from typing import ClassVar

from pydantic import AliasPath, Field

from services.audit.api.views.base import View
from services.audit.api.views.orders import OrderView
from services.audit.api.views.values import (
    AssetName,
    AssetNameOrNone,
    DecimalText,
    ExchangeIdName,
    InstrumentName,
    LiquidityName,
    SideName,
    Time,
    TimeOrNever,
)
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance, Trade
from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.record import Record


class AssetNamesView(View):
    """An asset as we name it, and as the venue does."""

    SHOWS: ClassVar[type[Record]] = Asset

    name: str = Field(validation_alias="name_internal")
    name_exchange: str


class ExchangeAssetView(View):
    """An asset on one exchange: the same coin on two exchanges is two assets."""

    SHOWS: ClassVar[type[Record]] = ExchangeAsset

    exchange: ExchangeIdName
    asset: AssetNamesView


class BalanceView(View):
    """What we own of an asset, and what of it is spendable."""

    SHOWS: ClassVar[type[Record]] = Balance

    total: DecimalText
    free: DecimalText
    used: DecimalText
    """Bound by open orders: total less free."""


class AssetStateView(View):
    """An asset with its balance, as the venue told it last; null until it did."""

    SHOWS: ClassVar[type[Record]] = AssetState

    exchange: ExchangeIdName = Field(validation_alias=AliasPath("asset", "exchange"))
    name: str = Field(validation_alias=AliasPath("asset", "asset", "name_internal"))
    name_exchange: str = Field(validation_alias=AliasPath("asset", "asset", "name_exchange"))
    """What the venue calls it."""
    balance: BalanceView | None
    time_exchange: TimeOrNever = Field(validation_alias="time_exchange_ns")


class AssetBalanceView(View):
    """A balance as a venue reports it."""

    SHOWS: ClassVar[type[Record]] = AssetBalance

    asset: AssetName
    balance: BalanceView
    time_exchange: Time = Field(validation_alias="time_exchange_ns")


class TradeView(View):
    """A fill of our order."""

    SHOWS: ClassVar[type[Record]] = Trade

    id: str
    """The venue's trade id."""
    order_id: str
    """The venue's order id."""
    cid: str
    """Our client order id."""
    instrument: InstrumentName
    strategy: str
    time_exchange: Time = Field(validation_alias="time_exchange_ns")
    side: SideName
    price: DecimalText
    quantity: DecimalText
    value_quote: DecimalText
    """Price times quantity, in quote."""
    fees: DecimalText
    """In ``fees_asset``; negative for a rebate."""
    fees_asset: AssetNameOrNone
    """Null: the asset of the instrument's PnL, its quote or what it settles in."""
    liquidity: LiquidityName


class AccountSnapshotView(View):
    """Everything the venue says of an account at once."""

    SHOWS: ClassVar[type[Record]] = AccountSnapshot

    balances: list[AssetBalanceView]
    orders: list[OrderView]
