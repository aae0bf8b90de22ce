"""`/v1/audit/bounds`, `/gaps`, `/export`: the journal as a whole."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.audit.api.access import Operator
from services.audit.api.context import Read, Reader
from services.audit.api.documents import PRUNED, READ_PROBLEMS
from services.audit.api.envelope import Envelope
from services.audit.api.paging import NUMBER_MAX
from services.audit.api.problems import ParameterProblem, Problem, wrong_parameters
from services.audit.api.resources.audit import tick_views
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import ticks_of
from services.audit.api.views.diff import MomentView
from services.audit.api.views.journal import JournalBoundsView, JournalGapView
from services.audit.api.views.values import time_text
from services.audit.history import Unreadable

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute, responses=READ_PROBLEMS)

Bounds = Envelope[JournalBoundsView]
Gaps = Envelope[list[JournalGapView]]

NDJSON: Final = "application/x-ndjson"
EXPORT_AT_ONCE: Final = 512
EXPORTS_MAX: Final = 2

_exports = asyncio.Semaphore(EXPORTS_MAX)


class ExportFormat(StrEnum):
    """How ticks are written."""

    NDJSON = "ndjson"


@router.get("/bounds", operation_id="getAuditBounds", summary="The oldest and newest tick", response_model=Bounds)
async def get_audit_bounds(read: Read) -> Response:
    """Return the oldest and the newest tick that can be read, and how far the journal is archived."""
    history = read.context.history
    bounds = history.bounds
    assert bounds is not None, "a replica that can be read has seen a batch"
    (oldest,) = await ticks_of(history, bounds[0], bounds[0])
    now = read.now()
    past = read.context.past
    return now.answer(
        Bounds,
        lambda: JournalBoundsView(
            oldest=MomentView(sequence=oldest.sequence, time_engine=time_text(oldest.time_ns)),
            newest=MomentView(sequence=now.sequence, time_engine=time_text(now.time_ns)),
            run_first=now.fold.run_first,
            archived=None if past is None else past.archived,
        ),
    )


@router.get("/gaps", operation_id="listAuditGaps", summary="Ticks that are missing", response_model=Gaps)
async def list_audit_gaps(read: Read) -> Response:
    """Return the stretches of ticks that the archive lacks: a stream was shortened of what was not archived yet."""
    try:
        gaps = await read.context.history.gaps()
    except Unreadable as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "journal_unreadable", str(error), headers={"Retry-After": "1"}
        ) from error
    return read.now().answer_list(Gaps, lambda: [JournalGapView(first=first, last=last) for first, last in gaps])


@router.get(
    "/export",
    operation_id="exportAudit",
    summary="Ticks as lines of JSON",
    response_class=Response,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}, **PRUNED},
)
async def export_audit(
    read: Read,
    caller: Operator,  # noqa: ARG001 - asked for so that there is one
    from_: Annotated[
        int | None, Query(alias="from", ge=0, le=NUMBER_MAX, description="The first tick; without it the oldest.")
    ] = None,
    to: Annotated[
        int | None, Query(ge=0, le=NUMBER_MAX, description="The last tick; without it the newest there is now.")
    ] = None,
    format: Annotated[ExportFormat, Query(description="How they are written.")] = ExportFormat.NDJSON,  # noqa: A002, ARG001
) -> Response:
    """Return ticks in order, each a line of JSON as `/v1/audit` has them, sent while they are read.

    An answer that cannot be finished ends without its last chunk, which clients report as an error.
    """
    if from_ is not None and to is not None and from_ > to:
        wrong = ParameterProblem(where="query", name="to", expected=f"at least `from`, {from_}", found=str(to))
        raise wrong_parameters([wrong])
    bounds = read.context.history.bounds
    assert bounds is not None, "a replica that can be read has seen a batch"
    first = bounds[0] if from_ is None else from_
    last = bounds[1] if to is None else min(to, bounds[1])
    if _exports.locked():
        detail = f"{EXPORTS_MAX} exports are under way; more would hold up everybody else"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_exports", detail, headers={"Retry-After": "10"})
    lines = _lines(read, first, last)
    begin = await anext(lines, b"")
    return StreamingResponse(_with_first(begin, lines), media_type=NDJSON, headers={"Cache-Control": "no-store"})


async def _lines(read: Reader, first: int, last: int) -> AsyncGenerator[bytes, None]:
    history = read.context.history
    async with _exports:
        for start in range(first, last + 1, EXPORT_AT_ONCE):
            ticks = await ticks_of(history, start, min(last, start + EXPORT_AT_ONCE - 1))
            views = await tick_views(read, ticks)
            yield "".join(f"{view.model_dump_json()}\n" for view in views).encode()


async def _with_first(begin: bytes, lines: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(lines):
        yield begin
        async for line in lines:
            yield line
