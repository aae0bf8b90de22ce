"""`/v1/audit`: the engine's journal, tick by tick."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response

from services.audit.api.context import Read, Reader
from services.audit.api.documents import NO_TICK, PRUNED, READ_PROBLEMS
from services.audit.api.envelope import AuditEnvelope, AuditPage, Envelope
from services.audit.api.kinds import EventKind, kind_of
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
SCAN_AT_ONCE: Final = 512
SCAN_MAX: Final = 20_000
"""So many ticks are looked at for one page of a kind."""


@router.get(
    "", operation_id="listAudit", summary="Audit ticks in order", response_model=AuditEnvelope, responses=PRUNED
)
async def list_audit(
    read: Read,
    from_: Annotated[
        int | None, Query(alias="from", ge=0, le=NUMBER_MAX, description="The first tick; without it the newest.")
    ] = None,
    to: Annotated[int | None, Query(ge=0, le=NUMBER_MAX, description="The last tick; without it no end.")] = None,
    kind: Annotated[EventKind | None, Query(description="Only ticks with this kind of event.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many ticks at most.")] = LIMIT_DEFAULT,
) -> Response:
    """Return ticks in the order of their sequences: each event, what was decided, what went wrong.

    Give `page.next` as `from` to go on. With `kind` up to 20,000 ticks are looked at, so a page may be short or empty
    and still have a next one.
    """
    if from_ is not None and to is not None and from_ > to:
        wrong = ParameterProblem(where="query", name="to", expected=f"at least `from`, {from_}", found=str(to))
        raise wrong_parameters([wrong])
    history = read.context.history
    oldest, newest = _bounds(history)
    last = newest if to is None else min(to, newest)
    first = max(oldest, last - limit + 1) if from_ is None else from_
    if kind is not None and from_ is None:
        views = await tick_views(read, await _newest_of(history, kind, oldest, last, limit))
        return read.now().answer_audit(views, _page(history, last, to))
    if kind is not None:
        found, seen = await _next_of(history, kind, first, last, limit)
        views = await tick_views(read, found)
        return read.now().answer_audit(views, _page(history, seen, to))
    last = min(last, first + limit - 1)
    views = await tick_views(read, await ticks_of(history, first, last)) if first <= last else []
    return read.now().answer_audit(views, _page(history, views[-1].sequence if views else None, to))


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
    check_sequence(read.context, sequence)
    (view,) = await tick_views(read, await ticks_of(history, sequence, sequence))
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
    check_sequence(read.context, sequence)
    return as_response(await ask_past(read.context, Question("/v1/state", sequence=sequence)), request)


def _bounds(history: History) -> tuple[int, int]:
    bounds = history.bounds
    assert bounds is not None, "a replica that can be read has seen a batch"
    return bounds


async def tick_views(read: Reader, ticks: list[AuditTick]) -> list[AuditTickView]:
    """Return the views of ticks; the past does not change, so everything else in the loop may have its turn between."""
    views: list[AuditTickView] = []
    for start in range(0, len(ticks), TICKS_PER_TURN):
        await asyncio.sleep(0)
        enter_engine_context()  # what is derived on read computes like the engine
        views += [
            AuditTickView.of(tick, read.names_at(tick.sequence)) for tick in ticks[start : start + TICKS_PER_TURN]
        ]
    return views


async def _next_of(
    history: History, kind: EventKind, first: int, last: int, limit: int
) -> tuple[list[AuditTick], int | None]:
    """Return the next ticks with a kind of event, in order, and the last tick that was looked at."""
    found: list[AuditTick] = []
    seen: int | None = None
    last = min(last, first + SCAN_MAX - 1)
    for start in range(first, last + 1, SCAN_AT_ONCE):
        for tick in await ticks_of(history, start, min(last, start + SCAN_AT_ONCE - 1)):
            seen = tick.sequence
            if kind_of(tick) == kind.value:
                found.append(tick)
                if len(found) == limit:
                    return found, seen
    return found, seen


async def _newest_of(history: History, kind: EventKind, oldest: int, last: int, limit: int) -> list[AuditTick]:
    """Return the newest ticks with a kind of event, in order."""
    found: list[AuditTick] = []
    oldest = max(oldest, last - SCAN_MAX + 1)
    end = last
    while end >= oldest and len(found) < limit:
        start = max(oldest, end - SCAN_AT_ONCE + 1)
        found = [tick for tick in await ticks_of(history, start, end) if kind_of(tick) == kind.value] + found
        end = start - 1
    return found[-limit:]


def _page(history: History, seen: int | None, to: int | None) -> AuditPage:
    """Return where a range stands in the journal as it is now; ``seen`` is the last tick that was looked at."""
    oldest, newest = _bounds(history)
    following = None if seen is None else seen + 1
    has_more = following is not None and following <= newest and (to is None or following <= to)
    return AuditPage(next=following if has_more else None, oldest=oldest, newest=newest)
