"""`/v1/positions`: what we hold, and what we held."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.audit.api.context import Reading
from services.audit.api.documents import PAST_READ_PROBLEMS
from services.audit.api.envelope import Envelope, Page, PageEnvelope
from services.audit.api.find import InstrumentName, filters
from services.audit.api.moment import Moment
from services.audit.api.paging import ListOrder, PageRequest, Paging
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import RowsRead, TimedRead
from services.audit.api.views.positions import OpenPositionView, PositionView
from services.audit.api.views.projections import ExitView
from services.audit.api.views.values import decimal_or_none
from services.audit.projections import Exit
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.model.number import decimal_text

router = APIRouter(prefix="/v1/positions", tags=["positions"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

All = Envelope[list[OpenPositionView]]
Exited = PageEnvelope[ExitView]


@router.get("", operation_id="listPositions", summary="Open positions at their value now", response_model=All)
async def list_positions(read: TimedRead) -> Response:
    """Return the open positions in the order of their instruments."""
    now = read.now()
    return now.answer_list(
        All, lambda: [open_position_view(now, each) for each in now.state.instruments if each.position is not None]
    )


@router.get("/exited", operation_id="listExitedPositions", summary="Closed positions", response_model=Exited)
async def list_exited_positions(
    read: RowsRead,
    paging: Paging,
    instrument: Annotated[InstrumentName | None, Query(description="Only those of this instrument.")] = None,
) -> Response:
    """Return the closed positions, the one closed last first unless asked otherwise."""
    now = read.now()
    _, wanted = filters(now.names, exchange=None, instrument=instrument)
    return now.answer_page(Exited, lambda: _exited(now, paging, wanted))


def open_position_view(now: Moment, state: InstrumentState) -> OpenPositionView:
    """Return the open position of an instrument at its value now."""
    position = PositionView.of(state.position, now.names)
    return OpenPositionView(
        **position.model_dump(),
        exchange=now.names.exchanges[state.instrument.exchange],
        price_mark=decimal_or_none(state.price_mark()),
        pnl_asset=now.names.assets[state.pnl_asset],
        pnl_unrealised=decimal_text(state.pnl_unrealised()),
        pnl_unrealised_gross=decimal_text(state.pnl_unrealised_gross()),
        exit_fees_approximate=decimal_text(state.exit_fees_approximate()),
        value_net=decimal_text(state.value_net()),
    )


def _exited(now: Reading, paging: PageRequest, instrument: int | None) -> tuple[list[ExitView], Page]:
    rows = now.rows.exits
    found, page = paging.cut(_matching(now, paging, instrument), len(rows), rows.dropped)
    return [ExitView.of(row, now.names) for row in found], page


def _matching(now: Reading, paging: PageRequest, instrument: int | None) -> Iterator[tuple[int, Exit]]:
    rows = now.rows.exits
    if paging.order is ListOrder.NEWEST:
        numbered = rows.newest_first(paging.cursor)
    else:
        numbered = rows.oldest_first(paging.cursor or 0)
    for number, row in numbered:
        if instrument is None or row.exited.instrument == instrument:
            yield number, row
