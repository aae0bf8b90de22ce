"""`Replica`: the state, and the journal as a stream."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final, final

from services.audit.api.access import Role
from services.audit.api.context import ApiContext, check_readable, check_started
from services.audit.api.problems import Problem
from services.audit.history import Pruned, Unreadable
from services.audit.rpc.calls import Calls, Context
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.wire.codec.audit import tick_to_bytes
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes
from tradebus.wire.pb.v1 import audit_pb2, service_pb2, snapshot_pb2
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
        self,
        request: service_pb2.GetStateRequest,  # noqa: ARG002 - says nothing
        context: Context,
    ) -> service_pb2.GetStateResponse:
        """Return the state as of now, as a snapshot."""
        await self._calls.admit(context, Role.VIEWER, "GetState")
        try:
            check_readable(self._context)
        except Problem as problem:
            await self._calls.end(context, problem)
        fold = self._context.fold
        started = fold.replica.started
        assert started is not None, "a replica that can be read has a start record"
        snapshot = snapshot_of(
            started,
            fold.state,
            sequence=fold.sequence,
            time_ns=fold.time_ns,
            epoch=fold.epoch,
            config_fingerprint="",
        )
        checked = fold.verification.last
        return service_pb2.GetStateResponse(
            mode=fold.mode,
            is_exact=fold.is_exact,
            verified_sequence=checked.sequence if checked is not None and checked.is_equal else None,
            snapshot=snapshot_pb2.EngineSnapshot.FromString(snapshot_to_bytes(snapshot)),
        )

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
                ticks = await history.ticks(following, end)
            except Pruned as error:
                raise Problem(HTTPStatus.GONE, "pruned", str(error)) from error
            except Unreadable as error:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "journal_unreadable", str(error)) from error
            yield self._response(ticks)
            following = end + 1

    def _response(self, ticks: list[AuditTick]) -> service_pb2.WatchAuditResponse:
        return service_pb2.WatchAuditResponse(
            ticks=[audit_pb2.AuditTick.FromString(tick_to_bytes(tick)) for tick in ticks],
            index_fingerprint=self._context.fold.numbering_at(ticks[0].sequence).fingerprint(),
        )


def _invalid(detail: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameters", detail)
