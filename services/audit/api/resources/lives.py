"""`/v1/orders/{cid}/events` and `/why`: an order's life as the journal tells it, and why it was sent."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from services.audit.api.context import Read, Reader, Reading
from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope
from services.audit.api.resources.orders import life_of
from services.audit.api.story import acknowledging, event_views, why
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import RowsRead, ticks_of
from services.audit.api.views.why import OrderEventView, WhyView
from services.audit.history import History
from services.audit.projections import Fill, OrderLife, StepKind
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.model.number import enter_engine_context

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

Events = Envelope[list[OrderEventView]]
Why = Envelope[WhyView]
Cid = Annotated[str, Path(description="Our client order id.")]

READS_AT_ONCE: Final = 8


@router.get(
    "/{cid}/events",
    operation_id="listOrderEvents",
    summary="The life of an order, event by event",
    response_model=Events,
    responses=UNKNOWN_NAME,
)
async def list_order_events(live: Read, read: RowsRead, cid: Cid) -> Response:
    """Return every step of an order with the event behind it, and what the engine decided about the order in it."""
    now = _held(live, read.now())
    life = life_of(now, cid)
    ticks = await _ticks(live.context.history, {step.sequence for step in life.steps})
    enter_engine_context()
    return now.answer_list(Events, lambda: event_views(life, ticks, now.names))


@router.get(
    "/{cid}/why",
    operation_id="getOrderWhy",
    summary="Why an order was sent, and what came of it",
    response_model=Why,
    responses=UNKNOWN_NAME,
)
async def get_order_why(live: Read, read: RowsRead, cid: Cid) -> Response:
    """Return the triggering event, the decision, the risk checks, the request, the acknowledgement, the fills, the end.

    Each with the sequence and engine time of its tick. Also for orders that were refused and never left.
    """
    now = _held(live, read.now())
    life = life_of(now, cid)
    answer = acknowledging(life)
    wanted = {life.sequence_first} | (set() if answer is None else {answer.sequence})
    fills = list(_fills(now, life))
    checks = live.context.fold.projections.risk.at(life.sequence_first)
    ticks = await _ticks(live.context.history, wanted)
    enter_engine_context()
    return now.answer(Why, lambda: why(life, ticks, fills, checks, now.names))


def _held(live: Reader, now: Reading) -> Reading:
    """Return a reading that stays as it is while something is awaited."""
    return live.then(now.sequence, now.time_ns).now()


def _fills(now: Reading, life: OrderLife) -> Iterable[Fill]:
    """Yield an order's fills, the first one first; its steps say when they were."""
    sequences = {step.sequence for step in life.steps if step.kind is StepKind.FILLED}
    if not sequences:
        return
    found: list[Fill] = []
    for _, fill in now.rows.fills.newest_first():
        if fill.sequence < life.sequence_first:
            break
        if fill.trade.cid == life.order.key.cid:
            found.append(fill)
    yield from reversed(found)


async def _ticks(history: History, sequences: set[int]) -> dict[int, AuditTick]:
    """Return single ticks of the past, by sequence."""
    found: dict[int, AuditTick] = {}
    wanted = sorted(sequences)
    for start in range(0, len(wanted), READS_AT_ONCE):
        some = wanted[start : start + READS_AT_ONCE]
        for ticks in await asyncio.gather(*(ticks_of(history, each, each) for each in some)):
            found[ticks[0].sequence] = ticks[0]
    return found
