"""`Control`: commands."""

import re
from typing import Final, final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from services.audit.api.access import Role
from services.audit.api.commanding import KEY_PATTERN, WAIT_S_MAX, check_confirmed, desk_of, problem_of, sender_of
from services.audit.api.context import ApiContext, NamesCache
from services.audit.api.problems import (
    ParameterProblem,
    Problem,
    parameter_problems,
    unknown_name,
    wrong_parameters,
)
from services.audit.commands import CommandError, Sender
from services.audit.commands.bodies import BODIES, Body, ShutdownBody
from services.audit.commands.known import Known, at_hand
from services.audit.commands.resolve import asked
from services.audit.rpc.calls import Calls, Context
from services.audit.rpc.messages import body_of, checked_to_pb, progress_to_pb
from tradebus.wire.pb.v1 import service_pb2
from tradebus.wire.pb.v1.service_pb2_grpc import ControlServicer

MS_PER_S: Final = 1_000


@final
class Control(ControlServicer):
    """Takes commands to the same desk as REST, read by the same models."""

    def __init__(self, context: ApiContext, names: NamesCache, calls: Calls) -> None:
        self._context: Final = context
        self._names: Final = names
        self._calls: Final = calls

    async def Send(self, request: service_pb2.SendRequest, context: Context) -> service_pb2.CommandProgress:  # noqa: N802 - gRPC's name
        """Take a command, and tell what has become of it if asked to wait."""
        is_stop = request.WhichOneof("command") == ShutdownBody.KIND
        caller = await self._calls.admit(
            context, Role.ADMIN if is_stop else Role.OPERATOR, f"Send {request.WhichOneof('command')}"
        )
        try:
            return await self._send(request, sender_of(caller, "grpc"))
        except Problem as problem:
            await self._calls.end(context, problem)

    async def GetCommand(  # noqa: N802 - gRPC's name
        self, request: service_pb2.GetCommandRequest, context: Context
    ) -> service_pb2.CommandProgress:
        """Return what became of a command."""
        await self._calls.admit(context, Role.VIEWER, "GetCommand")
        desk = self._context.commands
        progress = None if desk is None else desk.progress(request.id)
        if progress is None:
            await self._calls.end(context, unknown_name("command", request.id, []))
        return progress_to_pb(progress)

    async def _send(self, request: service_pb2.SendRequest, sender: Sender) -> service_pb2.CommandProgress:
        desk = desk_of(self._context)
        needed = "`confirm_live` to be set"
        check_confirmed(self._context, needed, is_confirmed=request.confirm_live or request.dry_run)
        fold = self._context.fold
        known = Known(self._names.of(fold.numbering_at(fold.sequence)), fold.state)
        try:
            command = asked(_read(request, known), known)
            if request.dry_run:
                return checked_to_pb(command)
            progress = await desk.take(sender, request.idempotency_key, command)
        except CommandError as error:
            raise problem_of(error) from error
        if request.wait_ms:
            progress = await desk.wait(progress.id, request.wait_ms / MS_PER_S)
        return progress_to_pb(progress)


def _read(request: service_pb2.SendRequest, known: Known) -> Body:
    """Return the body of a request; raises the problem that lists everything that is wrong."""
    wrong: list[ParameterProblem] = []
    if re.fullmatch(KEY_PATTERN, request.idempotency_key) is None:
        wrong.append(_wrong("idempotency_key", "1 to 128 visible characters of ASCII", request.idempotency_key))
    if request.wait_ms > WAIT_S_MAX * MS_PER_S:
        wrong.append(_wrong("wait_ms", f"at most {WAIT_S_MAX * MS_PER_S}", str(request.wait_ms)))
    found = body_of(request)
    if found is None:
        raise wrong_parameters([*wrong, _wrong("command", "one of them to be set", "none")])
    kind, fields = found
    try:
        with at_hand(known):
            body = BODIES[kind].model_validate(fields)
    except ValidationError as error:
        errors = [{**each, "loc": (kind, *each["loc"])} for each in error.errors()]
        wrong += parameter_problems(RequestValidationError(errors))
        raise wrong_parameters(wrong) from error
    if wrong:
        raise wrong_parameters(wrong)
    return body


def _wrong(name: str, expected: str, found: str) -> ParameterProblem:
    return ParameterProblem(where="request", name=name, expected=expected, found=found)
