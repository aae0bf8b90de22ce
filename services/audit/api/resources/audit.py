"""`/v1/audit`: the engine's journal, tick by tick."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from services.audit.api.context import Read, Reader
from services.audit.api.documents import NO_TICK, PRUNED, READ_PROBLEMS
from services.audit.api.envelope import AuditEnvelope, AuditPage, Envelope
from services.audit.api.paging import LIMIT_DEFAULT, LIMIT_MAX, NUMBER_MAX
from services.audit.api.problems import ParameterProblem, wrong_parameters
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import as_response, ask_past, check_sequence, ticks_of
from services.audit.api.views.state import EngineStateView
from services.audit.api.views.ticks import AuditTickView
from services.audit.history import History
from services.audit.travel.question import Question
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.model.number import enter_engine_context

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute, responses=READ_PROBLEMS)

One = Envelope[AuditTickView]

TICKS_PER_TURN: Final = 64


@router.get(
    "", operation_id="listAudit", summary="Audit ticks in order", response_model=AuditEnvelope, responses=PRUNED
)
async def list_audit(
    read: Read,
    from_: Annotated[
        int | None, Query(alias="from", ge=0, le=NUMBER_MAX, description="The first tick; without it the newest.")
    ] = None,
    to: Annotated[int | None, Query(ge=0, le=NUMBER_MAX, description="The last tick; without it no end.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many ticks at most.")] = LIMIT_DEFAULT,
) -> Response:
    """Return ticks in the order of their sequences: each event, what was decided, what went wrong.

    Give `page.next` as `from` to go on.
    """
    if from_ is not None and to is not None and from_ > to:
        wrong = ParameterProblem(where="query", name="to", expected=f"at least `from`, {from_}", found=str(to))
        raise wrong_parameters([wrong])
    history = read.context.history
    oldest, newest = _bounds(history)
    last = newest if to is None else min(to, newest)
    first = max(oldest, last - limit + 1) if from_ is None else from_
    last = min(last, first + limit - 1)
    views = await _views(read, await ticks_of(history, first, last)) if first <= last else []
    return read.now().answer_audit(views, _page(history, views, to))


@router.get(
    "/{sequence}",
    operation_id="getAuditTick",
    summary="One audit tick",
    response_model=One,
    responses=NO_TICK,
)
async def get_audit_tick(
    read: Read, sequence: Annotated[int, Path(ge=0, le=NUMBER_MAX, description="The tick's sequence.")]
) -> Response:
    """Return one step of the engine: the event, everything that was decided, what went wrong."""
    history = read.context.history
    check_sequence(read, sequence)
    (view,) = await _views(read, await ticks_of(history, sequence, sequence))
    return read.now().answer(One, lambda: view)


@router.get(
    "/{sequence}/state",
    operation_id="getAuditState",
    summary="The state right after one tick",
    response_model=Envelope[EngineStateView],
    responses=NO_TICK,
)
async def get_audit_state(
    request: Request,
    read: Read,
    sequence: Annotated[int, Path(ge=0, le=NUMBER_MAX, description="The tick's sequence.")],
) -> Response:
    """Return what `/v1/state?at=<sequence>` does."""
    check_sequence(read, sequence)
    return as_response(await ask_past(read, Question("/v1/state", sequence=sequence)), request)


def _bounds(history: History) -> tuple[int, int]:
    bounds = history.bounds
    assert bounds is not None, "a replica that can be read has seen a batch"
    return bounds


async def _views(read: Reader, ticks: list[AuditTick]) -> list[AuditTickView]:
    """Return the views of ticks; the past does not change, so everything else in the loop may have its turn between."""
    views: list[AuditTickView] = []
    for start in range(0, len(ticks), TICKS_PER_TURN):
        await asyncio.sleep(0)
        enter_engine_context()  # what is derived on read computes like the engine
        views += [
            AuditTickView.of(tick, read.names_at(tick.sequence)) for tick in ticks[start : start + TICKS_PER_TURN]
        ]
    return views


def _page(history: History, views: list[AuditTickView], to: int | None) -> AuditPage:
    """Return where a range stands in the journal as it is now."""
    oldest, newest = _bounds(history)
    following = views[-1].sequence + 1 if views else None
    has_more = following is not None and following <= newest and (to is None or following <= to)
    return AuditPage(next=following if has_more else None, oldest=oldest, newest=newest)
