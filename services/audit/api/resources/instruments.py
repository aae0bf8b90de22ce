"""`/v1/instruments`: everything about each instrument."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope
from services.audit.api.find import instrument_index
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead
from services.audit.api.views.instruments import InstrumentStateView

router = APIRouter(
    prefix="/v1/instruments", tags=["instruments"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS
)

All = Envelope[list[InstrumentStateView]]
One = Envelope[InstrumentStateView]


@router.get("", operation_id="listInstruments", summary="Every instrument with its state", response_model=All)
async def list_instruments(read: TimedRead) -> Response:
    """Return definition, market data, active orders, position and closed profit of every instrument."""
    now = read.now()
    return now.answer_often(All, lambda: [InstrumentStateView.of(each, now.names) for each in now.state.instruments])


@router.get(
    "/{instrument}",
    operation_id="getInstrument",
    summary="One instrument with its state",
    response_model=One,
    responses=UNKNOWN_NAME,
)
async def get_instrument(
    read: TimedRead, instrument: Annotated[str, Path(description="The instrument's internal name.")]
) -> Response:
    """Return definition, market data, active orders, position and closed profit; `sim_alpha-btc_usdt` for instance."""
    now = read.now()
    index = instrument_index(now.names, instrument)
    return now.answer(One, lambda: InstrumentStateView.of(now.state.instruments[index], now.names))
