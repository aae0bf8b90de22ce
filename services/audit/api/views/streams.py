"""Show what streams carry beside the views that the resources answer with."""

from typing import Annotated

from pydantic import AliasPath, BeforeValidator, Field

from services.audit.api.views.accounts import AssetStateView
from services.audit.api.views.base import View
from services.audit.api.views.market import BookL1View
from services.audit.api.views.positions import (
    AssetAmountView,
    ExitTotalsView,
    FundingTotalsView,
    OpenPositionView,
    StrategyPositionView,
)
from services.audit.api.views.projections import (
    ConnectivityView,
    ExitView,
    OrderSummaryView,
    TradingView,
)
from services.audit.api.views.values import (
    AssetName,
    DecimalOrNone,
    DecimalText,
    ExchangeName,
    InstrumentName,
    TimeOrNever,
)


def _values(items: object) -> object:
    return list(items.values()) if isinstance(items, dict) else items


class MarketView(View):
    """How the market of one instrument stands; of its book the best level of each side."""

    instrument: InstrumentName = Field(validation_alias=AliasPath("instrument", "index"))
    exchange: ExchangeName = Field(validation_alias=AliasPath("instrument", "exchange"))
    l1: BookL1View | None = Field(validation_alias=AliasPath("data", "l1"))
    l1_time_exchange: TimeOrNever = Field(validation_alias=AliasPath("data", "l1_time_ns"))
    price_last: DecimalOrNone = Field(validation_alias=AliasPath("data", "price_last"))
    """Of the last public trade."""
    trade_time_exchange: TimeOrNever = Field(validation_alias=AliasPath("data", "trade_time_ns"))
    price: DecimalOrNone = Field(validation_alias=AliasPath("data", "price"))
    """The micro price where both sides are known, else the last traded price."""
    is_stale: bool = Field(validation_alias=AliasPath("data", "is_stale"))
    """Events were lost, and nothing has come since."""
    l2_time_exchange: TimeOrNever = Field(validation_alias=AliasPath("data", "l2_time_ns"))
    is_l2_stale: bool = Field(validation_alias=AliasPath("data", "is_l2_stale"))
    """Levels of the book may be missing or wrong."""


class StatsView(View):
    """What was made with one instrument up to now."""

    instrument: InstrumentName = Field(validation_alias=AliasPath("instrument", "index"))
    exchange: ExchangeName = Field(validation_alias=AliasPath("instrument", "exchange"))
    pnl_asset: AssetName
    """What profits, fees and funding are in."""
    pnl_realised: DecimalText
    """Of closed positions and the open one."""
    exits: ExitTotalsView
    strategies: Annotated[list[StrategyPositionView], BeforeValidator(_values)]
    """What each strategy holds and made; the quantities add up to the position."""
    funding: FundingTotalsView
    apart: list[AssetAmountView]
    """Paid in assets without a known price; in no PnL."""


class PositionChangeView(View):
    """The position of an instrument after a fill or a funding payment."""

    instrument: str
    position: OpenPositionView | None
    """Null: flat."""
    exited: ExitView | None
    """The position that the fill closed, if it closed one."""


class SnapshotView(View):
    """How everything stands that a reader asked for; null is what it did not ask for."""

    trading: TradingView | None
    connectivity: ConnectivityView | None
    assets: list[AssetStateView] | None
    orders: list[OrderSummaryView] | None
    """Active ones, in the order they were made."""
    positions: list[OpenPositionView] | None
    """Open ones."""
    market: list[MarketView] | None
    stats: list[StatsView] | None
