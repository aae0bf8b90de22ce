"""`/v1/state`: the whole replica."""

from fastapi import APIRouter, Response

from services.audit.api.context import Read
from services.audit.api.documents import READ_PROBLEMS
from services.audit.api.envelope import Envelope
from services.audit.api.strict import StrictRoute
from services.audit.api.views.state import EngineStateView

router = APIRouter(prefix="/v1/state", tags=["state"], route_class=StrictRoute, responses=READ_PROBLEMS)

Answer = Envelope[EngineStateView]


@router.get("", operation_id="getState", summary="The whole trading state", response_model=Answer)
async def get_state(read: Read) -> Response:
    """Return everything that can influence a later output of the engine, as of one sequence.

    Exchanges, assets and instruments come in the order of the journal's numbering. Profits are in the quote asset of
    each instrument.
    """
    now = read.now()
    return now.answer_often(Answer, lambda: EngineStateView.of_state(now.state, now.names))
