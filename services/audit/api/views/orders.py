"""Show orders, requests and the states an order can be in."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from services.audit.api.views.base import View, key, tag_of
from services.audit.api.views.values import (
    DecimalOrNone,
    DecimalText,
    ExchangeName,
    InstrumentName,
    OrderErrorKindName,
    OrderKindName,
    SideName,
    TextOrNone,
    Time,
    TimeInForceName,
)
from tradebus.core.model import order as core
from tradebus.core.model.record import Record


class OrderErrorView(View):
    """Why a request failed."""

    SHOWS: ClassVar[type[Record]] = core.OrderError

    kind: OrderErrorKindName
    subject: TextOrNone
    """What it concerns: an asset's or instrument's name."""
    message: TextOrNone
    """The venue's words."""


class OpenInFlightView(View):
    """Sent, not yet answered."""

    SHOWS: ClassVar[type[Record]] = core.OpenInFlight

    type: Literal["open_in_flight"] = "open_in_flight"


class OpenView(View):
    """Resting at the venue."""

    SHOWS: ClassVar[type[Record]] = core.Open

    type: Literal["open"] = "open"
    id: str
    """The venue's order id."""
    time_exchange: Time = Field(validation_alias="time_exchange_ns")
    filled_quantity: DecimalText


class CancelInFlightView(View):
    """A cancel was sent and is not yet answered."""

    SHOWS: ClassVar[type[Record]] = core.CancelInFlight

    type: Literal["cancel_in_flight"] = "cancel_in_flight"
    order: OpenView | None
    """The open part, if the venue had acknowledged the order."""


class OpenUnknownView(View):
    """Sent, and what became of it is not known: it may be live."""

    SHOWS: ClassVar[type[Record]] = core.OpenUnknown

    type: Literal["open_unknown"] = "open_unknown"


class CancelUnknownView(View):
    """A cancel was sent, and what became of it is not known."""

    SHOWS: ClassVar[type[Record]] = core.CancelUnknown

    type: Literal["cancel_unknown"] = "cancel_unknown"
    order: OpenView | None
    """The open part, if the venue had acknowledged the order."""


class CancelledView(View):
    """Gone from the book by cancel."""

    SHOWS: ClassVar[type[Record]] = core.Cancelled

    type: Literal["cancelled"] = "cancelled"
    id: str
    """The venue's order id."""
    time_exchange: Time = Field(validation_alias="time_exchange_ns")


class FullyFilledView(View):
    """Nothing remains."""

    SHOWS: ClassVar[type[Record]] = core.FullyFilled

    type: Literal["fully_filled"] = "fully_filled"


class OpenFailedView(View):
    """The venue refused the order."""

    SHOWS: ClassVar[type[Record]] = core.OpenFailed

    type: Literal["open_failed"] = "open_failed"
    error: OrderErrorView


class ExpiredView(View):
    """The time in force ended."""

    SHOWS: ClassVar[type[Record]] = core.Expired

    type: Literal["expired"] = "expired"


OrderStateView: TypeAlias = Annotated[
    Annotated[OpenInFlightView, Tag("open_in_flight")]
    | Annotated[OpenView, Tag("open")]
    | Annotated[CancelInFlightView, Tag("cancel_in_flight")]
    | Annotated[CancelledView, Tag("cancelled")]
    | Annotated[FullyFilledView, Tag("fully_filled")]
    | Annotated[OpenFailedView, Tag("open_failed")]
    | Annotated[ExpiredView, Tag("expired")]
    | Annotated[OpenUnknownView, Tag("open_unknown")]
    | Annotated[CancelUnknownView, Tag("cancel_unknown")],
    Discriminator(tag_of),
]


class OrderKeyView(View):
    """Which order."""

    SHOWS: ClassVar[type[Record]] = core.OrderKey

    exchange: ExchangeName
    instrument: InstrumentName
    strategy: str
    cid: str
    """Our client order id."""


class OrderRequestOpenView(View):
    """What is asked for: an order."""

    SHOWS: ClassVar[type[Record]] = core.OrderRequestOpen

    exchange: ExchangeName = Field(validation_alias=key("exchange"))
    instrument: InstrumentName = Field(validation_alias=key("instrument"))
    strategy: str = Field(validation_alias=key("strategy"))
    cid: str = Field(validation_alias=key("cid"))
    """Our client order id; empty where the engine is to derive one."""
    side: SideName
    price: DecimalText
    """In quote; of a market order the price that the decision was made at."""
    quantity: DecimalText
    kind: OrderKindName
    time_in_force: TimeInForceName


class OrderRequestCancelView(View):
    """What is asked for: a cancel."""

    SHOWS: ClassVar[type[Record]] = core.OrderRequestCancel

    exchange: ExchangeName = Field(validation_alias=key("exchange"))
    instrument: InstrumentName = Field(validation_alias=key("instrument"))
    strategy: str = Field(validation_alias=key("strategy"))
    cid: str = Field(validation_alias=key("cid"))
    """Our client order id."""
    id: str | None
    """The venue's order id, where it is known."""


class OrderRequestAmendView(View):
    """What is asked for: another price or quantity."""

    SHOWS: ClassVar[type[Record]] = core.OrderRequestAmend

    exchange: ExchangeName = Field(validation_alias=key("exchange"))
    instrument: InstrumentName = Field(validation_alias=key("instrument"))
    strategy: str = Field(validation_alias=key("strategy"))
    cid: str = Field(validation_alias=key("cid"))
    """Our client order id."""
    id: str | None
    """The venue's order id, where it is known."""
    price: DecimalOrNone
    """In quote; null: as it is."""
    quantity: DecimalOrNone
    """What has filled included; null: as it is."""


class AmendmentView(View):
    """What an amend asked for that is not answered."""

    SHOWS: ClassVar[type[Record]] = core.Amendment

    price: DecimalText
    quantity: DecimalText
    """What has filled included."""
    is_unknown: bool
    """No answer will come."""


class OrderView(OrderRequestOpenView):
    """An order: what was asked for, and the state it is in."""

    SHOWS: ClassVar[type[Record]] = core.Order

    state: OrderStateView
    quantity_traded: DecimalText
    """The sum of its fills that came in."""
    amendment: AmendmentView | None
    """What an amend asks for, until it is answered."""
