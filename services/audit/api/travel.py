"""Answer as of a moment of the past: `?at=` and `?at_time=`, on every read of the state and of rows.

A state is rebuilt elsewhere, and the answer comes from there as it would have been given then. Rows that grow (fills,
closed positions, orders) are here: they are the same rows, less those that came later.
"""

import time
from http import HTTPStatus
from typing import Annotated, Final, Protocol

from fastapi import Depends, Query, Request, Response

from services.audit.api.answering import has_already
from services.audit.api.context import ApiContext, PastRows, Read, Reader, Reading
from services.audit.api.elsewhere import AnsweredElsewhere
from services.audit.api.instants import Instant
from services.audit.api.paging import NUMBER_MAX
from services.audit.api.problems import ParameterProblem, Problem, wrong_parameters
from services.audit.history import History, Pruned, Unreadable
from services.audit.travel.machine import TookTooLong, TooManyWaiting
from services.audit.travel.question import PastAnswer, Question
from tradebus.core.engine.audit.tick import AuditTick

RETRY_AFTER_S: Final = 1
FUTURE_NS_MAX: Final = 1_000_000_000
"""Clocks of askers may be ahead by so much."""
ARCHIVED_NS: Final = 10_000_000_000
"""What is older than this has long been archived."""

At = Annotated[
    int | None,
    Query(ge=0, le=NUMBER_MAX, description="As of right after this tick, by its sequence; else as of now."),
]
AtTime = Annotated[
    Instant | None,
    Query(description="As of this engine time: the last tick at or before it. RFC 3339; UTC unless it says otherwise."),
]


class MakesReadings(Protocol):
    """What a resource answers from: it makes readings of now or of then."""

    def now(self) -> Reading:
        """Return the reading."""
        ...


async def state_then(request: Request, read: Read, at: At = None, at_time: AtTime = None) -> Reader:
    """Return what makes readings of now; a question about the past ends here, with its answer."""
    if (at is None and at_time is None) or _is_refused(request):
        return read
    sequence, time_ns = _moment(read, at, at_time)
    query = "&".join(part for part in request.url.query.split("&") if part.partition("=")[0] not in {"at", "at_time"})
    answer = await ask_past(read.context, Question(request.scope["path"], query, sequence, time_ns))
    raise AnsweredElsewhere(as_response(answer, request))


async def rows_then(request: Request, read: Read, at: At = None, at_time: AtTime = None) -> MakesReadings:
    """Return what makes readings of the rows as of now or then."""
    if (at is None and at_time is None) or _is_refused(request):
        return read
    sequence, time_ns = _moment(read, at, at_time)
    if sequence is None:
        answer = await ask_past(read.context, Question("", time_ns=time_ns))
        sequence = int(answer.headers["sequence"])
    return await rows_at(read, sequence)


async def rows_at(read: Reader, sequence: int) -> PastRows:
    """Return what makes readings of the rows as they were at a tick; raises the problem where they are not kept."""
    fold = read.context.fold
    check_sequence(read.context, sequence)
    if sequence < fold.run_first:
        raise Problem(
            HTTPStatus.GONE,
            "pruned",
            f"orders, fills and closed positions are kept of the engine's present run, which began with tick "
            f"{fold.run_first}; /v1/audit has the ticks of before",
        )
    (tick,) = await ticks_of(read.context.history, sequence, sequence)
    return read.then(sequence, tick.time_ns)


TimedRead = Annotated[Reader, Depends(state_then)]
RowsRead = Annotated[MakesReadings, Depends(rows_then)]


async def ticks_of(history: History, first: int, last: int) -> list[AuditTick]:
    """Return ticks of the past; raises the problem where they are not kept or cannot be read."""
    try:
        return await history.ticks(first, last)
    except Pruned as error:
        raise Problem(HTTPStatus.GONE, "pruned", f"{error}, and not in the archive either") from error
    except Unreadable as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "journal_unreadable",
            str(error),
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error


def check_sequence(context: ApiContext, sequence: int) -> None:
    """Raise the 404 for a tick that is not there yet, the 410 for one before everything that is kept."""
    newest = context.fold.sequence
    if sequence > newest:
        detail = f"there is no tick {sequence} yet; the newest is {newest}"
        raise Problem(HTTPStatus.NOT_FOUND, "no_such_tick", detail, sequence=newest)


def check_time(context: ApiContext, time_ns: int) -> None:
    """Raise the 404 for an engine time that is yet to come, nanoseconds."""
    newest_ns = max(context.fold.time_ns, time.time_ns())
    if time_ns > newest_ns + FUTURE_NS_MAX:
        newest = context.fold.sequence
        detail = f"there is no tick of that time yet; the newest is {newest}"
        raise Problem(HTTPStatus.NOT_FOUND, "no_such_tick", detail, sequence=newest)


async def ask_past(context: ApiContext, question: Question) -> PastAnswer:
    """Return the answer about a moment; raises the problem where there is none."""
    past = context.past
    if past is None:
        detail = "nothing is archived here, so there are no states of the past (`audit.archive`, not in a replay)"
        raise Problem(HTTPStatus.GONE, "not_archived", detail)
    fold = context.fold
    wanted = fold.sequence if question.sequence is None else max(question.sequence, question.other or 0)
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    is_old = question.time_ns is not None and question.time_ns < fold.time_ns - ARCHIVED_NS
    if not is_old and not await past.bring(wanted):
        detail = f"tick {wanted} is not in the archive yet, which has trouble; /health/ready says more"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_archived_yet", detail, headers=retry)
    try:
        answer = await past.ask(question)
    except TooManyWaiting as error:
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_past_reads", str(error), headers=retry) from error
    except TookTooLong as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "past_too_slow", str(error), headers=retry) from error
    if answer.problem:
        raise Problem(
            HTTPStatus(answer.status),
            answer.problem,
            answer.detail,
            headers=retry if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else None,
        )
    return answer


def as_response(answer: PastAnswer, request: Request) -> Response:
    """Return an answer of the past, or 304 if the asker has it."""
    headers = {name: value for name, value in answer.headers.items() if name != "content-type"}
    etag = answer.headers.get("etag")
    if etag is not None and has_already(request.headers.get("if-none-match"), etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(answer.body, answer.status, headers, answer.headers.get("content-type"))


def _is_refused(request: Request) -> bool:
    """Tell whether a request is wrong already, and only looked at for what else is; see ``StrictRoute``."""
    return bool(getattr(request.state, "is_refused", False))


def _moment(read: Reader, at: int | None, at_time_ns: int | None) -> tuple[int | None, int | None]:
    """Return the moment that a query names: a sequence, or an engine time in nanoseconds."""
    if at is not None and at_time_ns is not None:
        expected = "at most one of `at` and `at_time`"
        raise wrong_parameters([ParameterProblem(where="query", name="at_time", expected=expected)])
    if at is not None:
        check_sequence(read.context, at)
        return at, None
    assert at_time_ns is not None
    check_time(read.context, at_time_ns)
    return None, at_time_ns
