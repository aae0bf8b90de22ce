"""Show positions, open and closed. Prices, profits and fees are in quote."""

from typing import ClassVar

from pydantic import Field

from services.audit.api.views.base import View
from services.audit.api.views.values import DecimalOrNone, DecimalText, ExchangeName, InstrumentName, SideName, Time
from tradebus.core.engine.state.instrument import ExitTotals
from tradebus.core.engine.state.position import Position, PositionExited
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
    pnl_unrealised: DecimalText
    """At the mark price, less what closing would roughly cost in fees."""


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
