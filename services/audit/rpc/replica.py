"""`Replica`: the state, and the journal as a stream."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final, final

from services.audit.api.access import Role
from services.audit.api.context import ApiContext, check_readable, check_started
from services.audit.api.problems import Problem
from services.audit.api.travel import ask_past, check_sequence, check_time
from services.audit.history import Pruned, Unreadable
from services.audit.rpc.calls import Calls, Context
from services.audit.rpc.state import whole_state
from services.audit.travel.question import Question
from tradebus.wire.pb.v1 import audit_pb2, service_pb2
from tradebus.wire.pb.v1.service_pb2_grpc import ReplicaServicer

TICKS_AT_ONCE: Final = 256
LOOK_PERIOD_S: Final = 0.01
"""How often a watcher that has everything looks whether there is more."""


@final
class Replica(ReplicaServicer):
    """Answers from the fold, and from the archive and the stream behind it."""

    def __init__(self, context: ApiContext, calls: Calls) -> None:
        self._context: Final = context
        self._calls: Final = calls

    async def GetState(  # noqa: N802 - gRPC's name
        self, request: service_pb2.GetStateRequest, context: Context
    ) -> service_pb2.GetStateResponse:
        """Return the state as a snapshot, as of now or of the moment that is asked for."""
        await self._calls.admit(context, Role.VIEWER, "GetState")
        try:
            check_readable(self._context)
            if request.WhichOneof("moment") is not None:
                return await self._state_then(request)
        except Problem as problem:
            await self._calls.end(context, problem)
        return whole_state(self._context.fold)

    async def _state_then(self, request: service_pb2.GetStateRequest) -> service_pb2.GetStateResponse:
        if request.HasField("at_sequence"):
            check_sequence(self._context, request.at_sequence)
            question = Question("", sequence=request.at_sequence, is_whole=True)
        else:
            check_time(self._context, request.at_time_ns)
            question = Question("", time_ns=request.at_time_ns, is_whole=True)
        answer = await ask_past(self._context, question)
        return service_pb2.GetStateResponse.FromString(answer.body)

    async def WatchAudit(  # noqa: N802 - gRPC's name
        self, request: service_pb2.WatchAuditRequest, context: Context
    ) -> AsyncIterator[service_pb2.WatchAuditResponse]:
        """Yield every tick from one on, in order, without holes; ends after the last one asked for, if any."""
        await self._calls.admit(context, Role.VIEWER, "WatchAudit")
        try:
            async for response in self._watch(request):
                yield response
        except Problem as problem:
            await self._calls.end(context, problem)

    async def _watch(self, request: service_pb2.WatchAuditRequest) -> AsyncIterator[service_pb2.WatchAuditResponse]:
        check_started(self._context)
        fold, history = self._context.fold, self._context.history
        following = request.from_sequence if request.HasField("from_sequence") else fold.sequence + 1
        last = request.to_sequence if request.HasField("to_sequence") else None
        if last is not None and last < following:
            raise _invalid(f"expected to_sequence to be at least {following}, found {last}")
        if following > fold.sequence + 1:
            raise _invalid(
                f"expected from_sequence to be at most {fold.sequence + 1}, the next tick; found {following}"
            )
        while last is None or following <= last:
            newest = fold.sequence if last is None else min(last, fold.sequence)
            if following > newest:
                await asyncio.sleep(LOOK_PERIOD_S)
                continue
            end = min(newest, following + TICKS_AT_ONCE - 1)
            try:
                ticks = await history.encoded_ticks(following, end)
            except Pruned as error:
                raise Problem(HTTPStatus.GONE, "pruned", str(error)) from error
            except Unreadable as error:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "journal_unreadable", str(error)) from error
            yield self._response(following, ticks)
            following = end + 1

    def _response(self, first: int, ticks: list[bytes]) -> service_pb2.WatchAuditResponse:
        return service_pb2.WatchAuditResponse(
            ticks=[audit_pb2.AuditTick.FromString(tick) for tick in ticks],
            index_fingerprint=self._context.fold.numbering_at(first).fingerprint(),
        )


def _invalid(detail: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameters", detail)
