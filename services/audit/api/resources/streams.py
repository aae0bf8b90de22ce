"""`/v1/stream` and `/v1/ws`: what changes, as it changes."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError

from services.audit.api.access import viewer
from services.audit.api.context import Read
from services.audit.api.documents import STREAM_PROBLEMS
from services.audit.api.problems import ParameterProblem
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.query import LAST_EVENT_ID, Asked, WrongQuery, list_of, read_query
from services.audit.api.stream.selection import RATE_DEFAULT, RATE_MAX, RATE_MIN
from services.audit.api.stream.socket import serve_socket
from services.audit.api.stream.sse import MEDIA_TYPE, EventStream
from services.audit.api.strict import StrictRoute

router = APIRouter(tags=["streams"], route_class=StrictRoute)


@router.get(
    "/v1/stream",
    operation_id="streamEvents",
    summary="What changes, as server-sent events",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **STREAM_PROBLEMS,
    },
)
async def stream_events(
    request: Request,
    read: Read,
    topics: Annotated[
        str | None,
        Query(
            description="Only these, with commas between: trading, connectivity, asset, order, position, trade, "
            "market, stats, command."
        ),
    ] = None,
    instruments: Annotated[
        str | None,
        Query(description="Only these instruments, with commas between; of the topics that are of an instrument."),
    ] = None,
    max_rate: Annotated[
        float,
        Query(
            ge=RATE_MIN,
            le=RATE_MAX,
            allow_inf_nan=False,
            description="How often a second the market of an instrument is told at most; nothing else is left out.",
        ),
    ] = RATE_DEFAULT,
    last_event_id: Annotated[
        str | None, Header(alias=LAST_EVENT_ID, description="The id of the last event that was received.")
    ] = None,
) -> Response:
    """Send a `snapshot`, then an event for each change, until the connection ends.

    An event's `id` is the sequence of its tick and the name of the engine's run (`1234@94f17130`; `1234.0@94f17130`
    where more of tick 1234 follows): given back as `Last-Event-ID`, which browsers do by themselves, the stream goes
    on right behind it. `market` says how the market
    stands and not each step, at most `max_rate` times a second for each instrument; of everything else nothing is left
    out. Where something had to be, because a reader was too slow or away for too long, `reset` says so, and a snapshot
    follows.
    """
    asked = Asked(
        "query", list_of(topics), list_of(instruments), max_rate, last_event_id, LAST_EVENT_ID, mark_where="header"
    )
    try:
        selection, mark = read_query(read.now().names, asked)
    except WrongQuery as wrong:
        raise RequestValidationError([_validation_error(each) for each in wrong.errors]) from wrong
    return EventStream(hub_of(request.app.state.streams), selection, mark, lambda: viewer.admits_still(request))


@router.websocket("/v1/ws")
async def stream_over_websocket(websocket: WebSocket) -> None:
    """Send the same events over a websocket, to which the client says what it wants."""
    await serve_socket(websocket, hub_of(websocket.app.state.streams))


def hub_of(state: object) -> StreamHub:
    """Return the hub that the application was made with."""
    assert isinstance(state, StreamHub)
    return state


def _validation_error(error: ParameterProblem) -> dict[str, Any]:
    """Return an error as FastAPI has them, so that it is told together with what else is wrong with the request."""
    loc = (error.where, error.name)
    return {"loc": loc, "msg": error.expected, "input": error.found, "ctx": {"near": error.near}}
