"""Show what operators ask for."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from services.audit.api.views.base import View, tag_of
from services.audit.api.views.orders import (
    OrderRequestAmendView,
    OrderRequestCancelView,
    OrderRequestOpenView,
)
from services.audit.api.views.values import ExchangeName, InstrumentName, underlyings_by_name
from tradebus.core.engine import command as core
from tradebus.core.model.record import Record


class AllInstrumentsView(View):
    """Everything."""

    SHOWS: ClassVar[type[Record]] = core.AllInstruments

    type: Literal["all_instruments"] = "all_instruments"


class ByExchangesView(View):
    """The instruments of some exchanges."""

    SHOWS: ClassVar[type[Record]] = core.ByExchanges

    type: Literal["by_exchanges"] = "by_exchanges"
    exchanges: list[ExchangeName]


class ByInstrumentsView(View):
    """Some instruments."""

    SHOWS: ClassVar[type[Record]] = core.ByInstruments

    type: Literal["by_instruments"] = "by_instruments"
    instruments: list[InstrumentName]


class UnderlyingView(View):
    """A pair of assets on one exchange."""

    exchange: str
    base: str
    quote: str


class ByUnderlyingsView(View):
    """The instruments on some pairs of assets."""

    SHOWS: ClassVar[type[Record]] = core.ByUnderlyings

    type: Literal["by_underlyings"] = "by_underlyings"
    underlyings: Annotated[list[UnderlyingView], BeforeValidator(underlyings_by_name)]


FilterView: TypeAlias = Annotated[
    Annotated[AllInstrumentsView, Tag("all_instruments")]
    | Annotated[ByExchangesView, Tag("by_exchanges")]
    | Annotated[ByInstrumentsView, Tag("by_instruments")]
    | Annotated[ByUnderlyingsView, Tag("by_underlyings")],
    Discriminator(tag_of),
]


class SendOpenRequestsView(View):
    """Open these orders."""

    SHOWS: ClassVar[type[Record]] = core.SendOpenRequests

    type: Literal["send_open_requests"] = "send_open_requests"
    requests: list[OrderRequestOpenView]
    override_risk: bool = False
    """They leave even if the risk manager refuses them."""


class SendCancelRequestsView(View):
    """Cancel these orders."""

    SHOWS: ClassVar[type[Record]] = core.SendCancelRequests

    type: Literal["send_cancel_requests"] = "send_cancel_requests"
    requests: list[OrderRequestCancelView]


class SendAmendRequestsView(View):
    """Amend these orders."""

    SHOWS: ClassVar[type[Record]] = core.SendAmendRequests

    type: Literal["send_amend_requests"] = "send_amend_requests"
    requests: list[OrderRequestAmendView]
    override_risk: bool = False
    """They leave even if the risk manager refuses them."""


class ClosePositionsView(View):
    """Close the positions of the selected instruments."""

    SHOWS: ClassVar[type[Record]] = core.ClosePositions

    type: Literal["close_positions"] = "close_positions"
    filter: FilterView
    override_risk: bool = False
    """The orders leave even if the risk manager refuses them."""


class CancelOrdersView(View):
    """Cancel every active order of the selected instruments."""

    SHOWS: ClassVar[type[Record]] = core.CancelOrders

    type: Literal["cancel_orders"] = "cancel_orders"
    filter: FilterView


CommandActionView: TypeAlias = Annotated[
    Annotated[SendOpenRequestsView, Tag("send_open_requests")]
    | Annotated[SendCancelRequestsView, Tag("send_cancel_requests")]
    | Annotated[SendAmendRequestsView, Tag("send_amend_requests")]
    | Annotated[ClosePositionsView, Tag("close_positions")]
    | Annotated[CancelOrdersView, Tag("cancel_orders")],
    Discriminator(tag_of),
]
