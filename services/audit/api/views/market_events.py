"""Show what comes from the feeds."""

from typing import ClassVar, Literal

from pydantic import Field

from services.audit.api.views.base import View
from services.audit.api.views.market import MarketDataView
from services.audit.api.views.values import (
    ExchangeName,
    InstrumentName,
    Time,
)
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
