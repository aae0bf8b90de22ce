"""`/v1/trades`: our fills."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.audit.api.context import Reading
from services.audit.api.documents import PAST_READ_PROBLEMS
from services.audit.api.envelope import Page, PageEnvelope
from services.audit.api.find import ExchangeName, InstrumentName, filters
from services.audit.api.paging import ListOrder, PageRequest, Paging
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import RowsRead
from services.audit.api.views.projections import FillView
from services.audit.projections import Fill

router = APIRouter(prefix="/v1/trades", tags=["trades"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

Answer = PageEnvelope[FillView]


@router.get("", operation_id="listTrades", summary="Our fills", response_model=Answer)
async def list_trades(
    read: RowsRead,
    paging: Paging,
    exchange: Annotated[ExchangeName | None, Query(description="Only those on this exchange.")] = None,
    instrument: Annotated[InstrumentName | None, Query(description="Only those of this instrument.")] = None,
    strategy: Annotated[str | None, Query(description="Only those of this strategy.")] = None,
) -> Response:
    """Return our fills, the last one first unless asked otherwise."""
    now = read.now()
    wanted = (*filters(now.names, exchange=exchange, instrument=instrument), strategy)
    return now.answer_page(Answer, lambda: _fills(now, paging, wanted))


def _fills(
    now: Reading, paging: PageRequest, wanted: tuple[int | None, int | None, str | None]
) -> tuple[list[FillView], Page]:
    rows = now.rows.fills
    found, page = paging.cut(_matching(now, paging, wanted), len(rows), rows.dropped)
    return [FillView.of(row, now.names) for row in found], page


def _matching(
    now: Reading, paging: PageRequest, wanted: tuple[int | None, int | None, str | None]
) -> Iterator[tuple[int, Fill]]:
    exchange, instrument, strategy = wanted
    rows = now.rows.fills
    if paging.order is ListOrder.NEWEST:
        numbered = rows.newest_first(paging.cursor)
    else:
        numbered = rows.oldest_first(paging.cursor or 0)
    for number, row in numbered:
        if exchange is not None and row.exchange != exchange:
            continue
        if instrument is not None and row.trade.instrument != instrument:
            continue
        if strategy is None or row.trade.strategy == strategy:
            yield number, row
