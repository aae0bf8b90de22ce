"""Show positions, open and closed.

Prices are in quote; profits, fees and funding in the asset of the instrument's PnL: the quote, or what it settles in.
"""

from typing import ClassVar

from pydantic import Field

from services.audit.api.views.base import View
from services.audit.api.views.values import (
    AssetName,
    DecimalOrNone,
    DecimalText,
    ExchangeName,
    InstrumentName,
    SideName,
    Time,
    TimeOrNever,
)
from tradebus.core.engine.state.funding import AssetAmount, FundingTotals
from tradebus.core.engine.state.instrument import ExitTotals
from tradebus.core.engine.state.position import Position, PositionExited
from tradebus.core.engine.state.strategy_position import StrategyPosition
from tradebus.core.model.record import Record


class PositionView(View):
    """An open position; "buy" is long."""

    SHOWS: ClassVar[type[Record]] = Position

    instrument: InstrumentName
    side: SideName
    price_entry_average: DecimalText
    quantity_abs: DecimalText
    quantity_abs_max: DecimalText
    price_last: DecimalText
    """Of its last fill."""
    pnl_realised: DecimalText
    fees_enter: DecimalText
    fees_exit: DecimalText
    funding: DecimalText
    """Inside the realised PnL; negative where we paid."""
    time_enter: Time = Field(validation_alias="time_enter_ns")
    time_exchange_update: Time = Field(validation_alias="time_exchange_update_ns")
    trade_count: int
    trade_digest: str
    """Over the ids of its fills, in order."""


class OpenPositionView(PositionView):
    """An open position with what it is worth now."""

    exchange: ExchangeName
    price_mark: DecimalOrNone
    """What it is valued at: the market's price, else that of its last fill."""
    pnl_asset: AssetName
    """What profits, fees and funding are in."""
    pnl_unrealised: DecimalText
    """At the mark price, less what closing would roughly cost in fees."""
    pnl_unrealised_gross: DecimalText
    """At the mark price, no exit fees taken off."""
    exit_fees_approximate: DecimalText
    """What closing would roughly cost in fees."""
    value_net: DecimalText
    """What it is worth at the mark price; negative for short."""


class PositionExitedView(View):
    """A closed position; all its fees are inside the profit."""

    SHOWS: ClassVar[type[Record]] = PositionExited

    instrument: InstrumentName
    side: SideName
    price_entry_average: DecimalText
    quantity_abs_max: DecimalText
    pnl_realised: DecimalText
    fees_enter: DecimalText
    fees_exit: DecimalText
    funding: DecimalText
    """Inside the realised PnL; negative where we paid."""
    time_enter: Time = Field(validation_alias="time_enter_ns")
    time_exit: Time = Field(validation_alias="time_exit_ns")
    trade_count: int
    trade_digest: str
    """Over the ids of its fills, in order."""


class ExitTotalsView(View):
    """What the closed positions of an instrument made in all."""

    SHOWS: ClassVar[type[Record]] = ExitTotals

    count: int
    pnl_realised: DecimalText
    fees: DecimalText
    """Inside the profit already."""


class StrategyPositionView(View):
    """What one strategy holds of an instrument and made with it; "unknown" is who is none of the engine's."""

    SHOWS: ClassVar[type[Record]] = StrategyPosition

    strategy: str
    quantity_net: DecimalText
    """Negative for short."""
    price_entry_average: DecimalText
    pnl_realised: DecimalText
    """Fees and funding are inside."""
    fees: DecimalText
    funding: DecimalText
    trade_count: int
    exit_count: int
    """How often it closed or flipped."""


class FundingTotalsView(View):
    """The funding payments of an instrument."""

    SHOWS: ClassVar[type[Record]] = FundingTotals

    count: int
    amount: DecimalText
    """What entered the PnL; negative where we paid."""
    time_exchange: TimeOrNever = Field(validation_alias="time_exchange_ns")
    """Of the last one."""
    ids: list[str]
    """Of those at that time."""


class AssetAmountView(View):
    """An amount of an asset."""

    SHOWS: ClassVar[type[Record]] = AssetAmount

    asset: AssetName
    amount: DecimalText
