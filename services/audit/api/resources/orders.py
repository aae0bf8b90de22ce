"""`/v1/orders`: every order from its request to its end."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.audit.api.context import Reading
from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope, Page, PageEnvelope
from services.audit.api.find import ExchangeName, InstrumentName, filters
from services.audit.api.paging import ListOrder, PageRequest, Paging
from services.audit.api.problems import unknown_name
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import RowsRead
from services.audit.api.views.projections import OrderLifeView, OrderSummaryView
from services.audit.projections import OrderLife, OrderStatus

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

All = PageEnvelope[OrderSummaryView]
One = Envelope[OrderLifeView]

NEAR_ORDERS_MAX = 2_000


class StatusFilter(StrEnum):
    """Which orders: by status, or all that may still trade, or all that may not."""

    ACTIVE = "active"
    FINISHED = "finished"
    OPEN_IN_FLIGHT = "open_in_flight"
    OPEN = "open"
    CANCEL_IN_FLIGHT = "cancel_in_flight"
    CANCELLED = "cancelled"
    FULLY_FILLED = "fully_filled"
    OPEN_FAILED = "open_failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    NOT_SENT = "not_sent"

    @property
    def statuses(self) -> frozenset[OrderStatus]:
        """Return the statuses that this selects."""
        if self is StatusFilter.ACTIVE:
            return frozenset(status for status in OrderStatus if status.is_active)
        if self is StatusFilter.FINISHED:
            return frozenset(status for status in OrderStatus if not status.is_active)
        return frozenset({OrderStatus[self.name]})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders were asked for; none is any."""

    exchange: int | None
    instrument: int | None
    strategy: str | None
    statuses: frozenset[OrderStatus] | None

    def matches(self, life: OrderLife) -> bool:
        """Tell whether an order is among them."""
        key = life.order.key
        return (
            (self.statuses is None or life.status in self.statuses)
            and (self.exchange is None or key.exchange == self.exchange)
            and (self.instrument is None or key.instrument == self.instrument)
            and (self.strategy is None or key.strategy == self.strategy)
        )


@router.get("", operation_id="listOrders", summary="Orders, active and finished", response_model=All)
async def list_orders(
    read: RowsRead,
    paging: Paging,
    status: Annotated[StatusFilter | None, Query(description="Only those that stand there.")] = None,
    exchange: Annotated[ExchangeName | None, Query(description="Only those on this exchange.")] = None,
    instrument: Annotated[InstrumentName | None, Query(description="Only those of this instrument.")] = None,
    strategy: Annotated[str | None, Query(description="Only those of this strategy.")] = None,
) -> Response:
    """Return orders, the one made last first unless asked otherwise; also those that were refused before they left."""
    now = read.now()
    exchange_index, instrument_index = filters(now.names, exchange=exchange, instrument=instrument)
    wanted = Wanted(exchange_index, instrument_index, strategy, None if status is None else status.statuses)
    return now.answer_page(All, lambda: _orders(now, paging, wanted))


@router.get(
    "/{cid}",
    operation_id="getOrder",
    summary="One order and everything that happened to it",
    response_model=One,
    responses=UNKNOWN_NAME,
)
async def get_order(read: RowsRead, cid: Annotated[str, Path(description="Our client order id.")]) -> Response:
    """Return an order by our client order id, with each step: request, answers, fills, end."""
    now = read.now()
    life = life_of(now, cid)
    return now.answer(One, lambda: OrderLifeView.of(life, now.names))


def life_of(now: Reading, cid: str) -> OrderLife:
    """Return an order's life by our client order id; raises the 404 with near matches."""
    orders = now.rows.orders
    life = orders.get(cid)
    if life is None:
        newest = [each.order.key.cid for _, each in zip(range(NEAR_ORDERS_MAX), orders.newest_first(), strict=False)]
        raise unknown_name("order", cid, newest)
    return life


def _orders(now: Reading, paging: PageRequest, wanted: Wanted) -> tuple[list[OrderSummaryView], Page]:
    orders = now.rows.orders
    found, page = paging.cut(_matching(now, paging, wanted), len(orders), orders.dropped)
    return [OrderSummaryView.of(life, now.names) for life in found], page


def _matching(now: Reading, paging: PageRequest, wanted: Wanted) -> Iterator[tuple[int, OrderLife]]:
    orders = now.rows.orders
    if paging.order is ListOrder.NEWEST:
        lives = orders.newest_first(paging.cursor)
    else:
        lives = orders.oldest_first(paging.cursor or 0)
    for life in lives:
        if wanted.matches(life):
            yield life.number, life
