"""`/v1/commands`: what operators ask of the engine, and what became of it."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from services.audit.api.access import Admin, Operator
from services.audit.api.commanding import Answer, Take
from services.audit.api.context import Read
from services.audit.api.documents import COMMAND_PROBLEMS, READ_PROBLEMS, UNKNOWN_COMMAND, Responses
from services.audit.api.problems import unknown_name
from services.audit.api.strict import StrictRoute
from services.audit.api.views.progress import CommandProgressView
from services.audit.commands.bodies import (
    CancelOrdersBody,
    ClosePositionsBody,
    OpenOrdersBody,
    ShutdownBody,
    TradingStateBody,
)

router = APIRouter(prefix="/v1/commands", tags=["commands"], route_class=StrictRoute)

RESPONSES: Final[Responses] = {
    **COMMAND_PROBLEMS,
    200: {"model": Answer, "description": "Something has become of it, or it was only checked"},
}


@router.post(
    "/trading-state",
    operation_id="setTradingState",
    summary="Switch algorithmic trading on or off",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Answer,
    responses=RESPONSES,
)
async def set_trading_state(body: TradingStateBody, caller: Operator, take: Take) -> Response:  # noqa: ARG001 - the role
    """Ask the engine to switch algorithmic trading. Market and account events are processed in both states."""
    return await take.take(body)


@router.post(
    "/open-orders",
    operation_id="openOrders",
    summary="Open orders",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Answer,
    responses=RESPONSES,
)
async def open_orders(body: OpenOrdersBody, caller: Operator, take: Take) -> Response:  # noqa: ARG001 - the role
    """Ask the engine to send orders. They go through the risk manager as a strategy's do."""
    return await take.take(body)


@router.post(
    "/cancel-orders",
    operation_id="cancelOrders",
    summary="Cancel orders by id or filter",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Answer,
    responses=RESPONSES,
)
async def cancel_orders(body: CancelOrdersBody, caller: Operator, take: Take) -> Response:  # noqa: ARG001 - the role
    """Ask the engine to cancel orders: those named, or every active one of the selected instruments."""
    return await take.take(body)


@router.post(
    "/close-positions",
    operation_id="closePositions",
    summary="Close positions",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Answer,
    responses=RESPONSES,
)
async def close_positions(body: ClosePositionsBody, caller: Operator, take: Take) -> Response:  # noqa: ARG001 - the role
    """Ask the strategies to close the positions of the selected instruments, each the way it does."""
    return await take.take(body)


@router.post(
    "/shutdown",
    operation_id="shutdown",
    summary="Stop the engine in order",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Answer,
    responses=RESPONSES,
)
async def shutdown(body: ShutdownBody, caller: Admin, take: Take) -> Response:  # noqa: ARG001 - the role
    """Ask the engine to end: trading off, orders cancelled, positions closed where asked for, then its last tick.

    Whoever runs the engine may start it again; trading stays off then.
    """
    return await take.take(body)


@router.get(
    "/{id}",
    operation_id="getCommand",
    summary="What became of a command",
    response_model=Answer,
    responses={**READ_PROBLEMS, **UNKNOWN_COMMAND},
)
async def get_command(
    read: Read, command_id: Annotated[str, Path(alias="id", description="The id that the answer to it gave.")]
) -> Response:
    """Return a command as it stands: on its way, applied at a sequence, or rejected with the reason."""
    desk = read.context.commands
    progress = None if desk is None else desk.progress(command_id)
    if progress is None:
        raise unknown_name("command", command_id, [])
    return read.now().answer_fresh(Answer, CommandProgressView.of_progress(progress))
