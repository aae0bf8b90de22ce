"""What every route that takes a command has at hand: who asks, under which key, how long they wait."""

from http import HTTPStatus
from typing import Annotated, Final, final

from fastapi import Depends, Header, Query, Request, Response
from pydantic import AfterValidator, WithJsonSchema

from services.audit.api.access import Caller
from services.audit.api.access.require import found_in
from services.audit.api.context import ApiContext, Context, Reading, check_started
from services.audit.api.envelope import Envelope
from services.audit.api.problems import ParameterProblem, Problem, wrong_parameters
from services.audit.api.views.progress import CommandProgressView
from services.audit.commands import (
    CommandDesk,
    CommandError,
    InvalidCommand,
    KeyConflict,
    Progress,
    Sender,
    Standing,
    TooMany,
)
from services.audit.commands.bodies import NS, Body, duration_ns
from services.audit.commands.known import Known, known_now, remember
from services.audit.commands.resolve import asked
from tradebus.config.sections.modes import Mode

Answer = Envelope[CommandProgressView]

WAIT_S_MAX: Final = 30
RETRY_AFTER_S: Final = 1
CONFIRMED: Final = Mode.LIVE.value
KEY_PATTERN: Final = r"^[\x21-\x7e]{1,128}$"


WAIT_PATTERN: Final = r"^(([0-9]{1,4}|[12][0-9]{4}|30000)ms|([0-9]|[12][0-9]|30)s)$"
"""0 to the longest; for those who read the API's document."""


def _wait(text: str) -> str:
    if duration_ns(text) > WAIT_S_MAX * NS["s"]:
        raise ValueError(f"at most {WAIT_S_MAX}s")
    return text


Wait = Annotated[
    str,
    AfterValidator(_wait),
    WithJsonSchema({"type": "string", "pattern": WAIT_PATTERN, "examples": ["2s"]}),
]


@final
class Commanding:
    """One request that is a command."""

    def __init__(
        self, request: Request, desk: CommandDesk, sender: Sender, key: str, wait_s: float, *, is_dry_run: bool
    ) -> None:
        self._request: Final = request
        self._desk: Final = desk
        self._sender: Final = sender
        self._key: Final = key
        self._wait_s: Final = wait_s
        self._is_dry_run: Final = is_dry_run

    async def take(self, body: Body) -> Response:
        """Take the command and answer: 200 where something has become of it, 202 where it is on its way."""
        try:
            command = asked(body, known_now())
            if self._is_dry_run:
                return self._answer(CommandProgressView.of_checked(command), HTTPStatus.OK)
            progress = await self._desk.take(self._sender, self._key, command)
        except CommandError as error:
            raise problem_of(error) from error
        if self._wait_s:
            progress = await self._desk.wait(progress.id, self._wait_s)
        return self._answer_progress(progress)

    def _answer_progress(self, progress: Progress) -> Response:
        is_decided = progress.standing is not Standing.ACCEPTED
        return self._answer(
            CommandProgressView.of_progress(progress),
            HTTPStatus.OK if is_decided else HTTPStatus.ACCEPTED,
            {"Location": f"/v1/commands/{progress.id}"},
        )

    def _answer(self, view: CommandProgressView, status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
        now = Reading.of(self._request)
        content = Answer.model_validate({**now.head(), "data": view}).model_dump_json()
        return Response(content, status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


def problem_of(error: CommandError) -> Problem:
    """Return the problem of a command that was not taken."""
    if isinstance(error, InvalidCommand):
        return wrong_parameters(
            [
                ParameterProblem(
                    where="body",
                    name=each.path,
                    expected=each.expected,
                    found=each.found,
                    near=list(each.near) or None,
                )
                for each in error.errors
            ]
        )
    if isinstance(error, KeyConflict):
        return Problem(HTTPStatus.CONFLICT, "idempotency_conflict", str(error))
    retry_s = error.retry_after_s if isinstance(error, TooMany) else RETRY_AFTER_S
    code, status = ("not_sent", HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(error, TooMany):
        code, status = ("too_many_commands", HTTPStatus.TOO_MANY_REQUESTS)
    return Problem(status, code, str(error), headers={"Retry-After": str(retry_s)})


def sender_of(caller: Caller, protocol: str) -> Sender:
    """Return who sends a command, as the journal names them."""
    return Sender(caller.name, caller.key_id or "none", caller.address, protocol)


def check_confirmed(context: ApiContext, needed: str, *, is_confirmed: bool) -> None:
    """Raise the problem for a command in live mode that does not say so."""
    if context.fold.mode == Mode.LIVE.value and not is_confirmed:
        detail = f"in live mode a command needs {needed}"
        raise Problem(HTTPStatus.PRECONDITION_REQUIRED, "confirmation_required", detail)


def desk_of(context: ApiContext) -> CommandDesk:
    """Return what takes commands; raises the problem where none is taken, or nothing is known yet to name."""
    if context.commands is None:
        detail = f"an engine in mode {context.fold.mode} takes no commands"
        raise Problem(HTTPStatus.CONFLICT, "no_commands", detail)
    check_started(context)
    return context.commands


async def command_desk(request: Request, context: Context) -> CommandDesk:
    """Have the names at hand that the body will be read by; raises the problem where no command is taken."""
    desk = desk_of(context)
    reading = Reading.of(request)
    remember(Known(reading.names, reading.state))
    return desk


async def commanding(
    request: Request,
    context: Context,
    desk: Annotated[CommandDesk, Depends(command_desk)],
    idempotency_key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            pattern=KEY_PATTERN,
            description="Yours: a command is applied once under it. With the same key it can be repeated safely.",
        ),
    ],
    wait: Annotated[
        Wait | None, Query(description="Answer when something has become of it, after 30s at most.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Only check it; send nothing.")] = False,
    confirm: Annotated[
        str | None, Header(alias="X-Confirm", description="In live mode a command must say `live` here.")
    ] = None,
) -> Commanding:
    """Return what takes the command of this request; raises the problem where none is taken."""
    check_confirmed(context, "the header `X-Confirm: live`", is_confirmed=confirm == CONFIRMED or dry_run)
    caller = found_in(request, context.doorkeeper)
    assert isinstance(caller, Caller), "the route has let the caller in"
    wait_s = 0.0 if wait is None else duration_ns(wait) / NS["s"]
    sender = sender_of(caller, "rest")
    return Commanding(request, desk, sender, idempotency_key, wait_s, is_dry_run=dry_run)


Take = Annotated[Commanding, Depends(commanding)]
