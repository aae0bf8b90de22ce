"""Show instruments as they are defined, and with everything that is known of them now."""

from typing import Annotated, ClassVar, TypeAlias

from pydantic import AliasPath, BeforeValidator, Field, ValidationInfo

from services.audit.api.views.accounts import AssetNamesView
from services.audit.api.views.base import View
from services.audit.api.views.market import InstrumentMarketDataView
from services.audit.api.views.orders import OrderView
from services.audit.api.views.positions import (
    AssetAmountView,
    ExitTotalsView,
    FundingTotalsView,
    PositionView,
    StrategyPositionView,
)
from services.audit.api.views.strategies import InstrumentDataStateView
from services.audit.api.views.values import (
    AssetName,
    AssetNameOrNone,
    DecimalOrNone,
    DecimalText,
    ExchangeIdName,
    ExchangeName,
    InstrumentKindName,
    InstrumentName,
    OptionExerciseName,
    OptionKindName,
    QuantityUnitName,
    QuoteKindName,
    TimeOrNone,
    names_of,
)
from tradebus.core.engine.state.fills import RecentFills
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.model import instrument as core
from tradebus.core.model.record import Record


class InstrumentSpecView(View):
    """The venue's steps and minima; "0" is no limit."""

    SHOWS: ClassVar[type[Record]] = core.InstrumentSpec

    price_min: DecimalText
    tick_size: DecimalText
    quantity_unit: QuantityUnitName
    quantity_asset: AssetNamesView | None
    quantity_min: DecimalText
    lot_size: DecimalText
    notional_min: DecimalText
    """In quote."""


class InstrumentContractView(View):
    """The contract behind an instrument; null is what only derivatives have."""

    SHOWS: ClassVar[type[Record]] = core.InstrumentContract

    kind: InstrumentKindName
    contract_size: DecimalText
    """In base per contract."""
    settlement: AssetNamesView | None
    expiry: TimeOrNone = Field(validation_alias="expiry_ns")
    strike: DecimalOrNone
    option_kind: OptionKindName | None
    option_exercise: OptionExerciseName | None


class InstrumentDefinitionView(View):
    """An instrument as the configuration defines it."""

    SHOWS: ClassVar[type[Record]] = core.InstrumentDefinition

    exchange: ExchangeIdName
    name: str = Field(validation_alias="name_internal")
    name_exchange: str
    """What the venue calls it."""
    base: AssetNamesView
    quote: AssetNamesView
    quote_kind: QuoteKindName
    contract: InstrumentContractView
    spec: InstrumentSpecView | None


def _definition(value: object, info: ValidationInfo) -> object:
    """Return the view of a definition, made once: it is a good part of an instrument, and never changes."""
    if not isinstance(value, core.InstrumentDefinition):
        return value
    names = names_of(info)
    return names.once(value, lambda: InstrumentDefinitionView.of(value, names))


Definition: TypeAlias = Annotated[InstrumentDefinitionView, BeforeValidator(_definition)]


class InstrumentView(View):
    """An instrument in the numbering of this journal."""

    SHOWS: ClassVar[type[Record]] = core.Instrument

    name: InstrumentName = Field(validation_alias="index")
    exchange: ExchangeName
    base: AssetName
    quote: AssetName
    settlement: AssetNameOrNone
    definition: Definition


def _values(orders: object) -> object:
    return list(orders.values()) if isinstance(orders, dict) else orders


class RecentFillsView(View):
    """What fills that come again are recognised by."""

    SHOWS: ClassVar[type[Record]] = RecentFills

    marks: list[str]
    """Of the newest fills: side, venue's time and id; oldest first."""


class InstrumentStateView(View):
    """An instrument with its market data, active orders, position and what its closed positions made."""

    SHOWS: ClassVar[type[Record]] = InstrumentState

    name: InstrumentName = Field(validation_alias=AliasPath("instrument", "index"))
    exchange: ExchangeName = Field(validation_alias=AliasPath("instrument", "exchange"))
    base: AssetName = Field(validation_alias=AliasPath("instrument", "base"))
    quote: AssetName = Field(validation_alias=AliasPath("instrument", "quote"))
    settlement: AssetNameOrNone = Field(validation_alias=AliasPath("instrument", "settlement"))
    definition: Definition = Field(validation_alias=AliasPath("instrument", "definition"))
    market: InstrumentMarketDataView = Field(validation_alias="data")
    price_mark: DecimalOrNone
    """What positions are valued at: the market's price, else that of the last fill."""
    orders: Annotated[list[OrderView], BeforeValidator(_values)]
    """Active ones, in the order they were made."""
    position: PositionView | None
    pnl_asset: AssetName
    """What profits, fees and funding are in: the quote, or what the contract settles in."""
    pnl_unrealised: DecimalText
    """At the mark price, less what closing would roughly cost in fees; "0" when flat."""
    pnl_unrealised_gross: DecimalText
    """At the mark price, no exit fees taken off; "0" when flat."""
    pnl_realised: DecimalText
    """Of closed positions and the open one."""
    exits: ExitTotalsView
    strategies: Annotated[list[StrategyPositionView], BeforeValidator(_values)]
    """What each strategy holds and made; the quantities add up to the position."""
    funding: FundingTotalsView
    apart: list[AssetAmountView]
    """Paid in assets without a known price; in no PnL."""
    user_data: InstrumentDataStateView | None
    """Null where the user defined none."""
    fills: RecentFillsView
