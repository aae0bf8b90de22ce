"""`/v1/keys`: the keys of this API, for admins. `tradebus key` does the same beside a service that does not run."""

import time
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.audit.api.access import Admin
from services.audit.api.context import ApiContext, Context
from services.audit.api.documents import KEYS_UNREADABLE, UNKNOWN_KEY, WRONG_PARAMETERS
from services.audit.api.problems import ParameterProblem, Problem, unknown_name, wrong_parameters
from services.audit.api.strict import StrictRoute
from services.audit.api.views.values import Time, TimeOrNever, time_text
from tradebus.access import ApiKey, KeyFileError, Role
from tradebus.access.keys import NAME

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=StrictRoute, responses=WRONG_PARAMETERS)

NS_PER_DAY: Final = 86_400_000_000_000
DAYS_MAX: Final = 3_650
KeyId = Annotated[str, Path(min_length=1, max_length=64, description="The key's public id.")]


def _whole(number: object) -> object:
    """Return a number as JSON means it: 30.0 is 30."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class KeyBody(BaseModel):
    """What a new key is to be."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    """Whose it is, or what for."""
    role: Role
    days: Annotated[int, Field(ge=1, le=DAYS_MAX, strict=True), BeforeValidator(_whole)] | None = None
    """After how many days it expires; never without."""


class KeyView(BaseModel):
    """A key, without what is shown once."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    name: str
    role: Role
    created: Time
    last_used: TimeOrNever
    """To the minute, across restarts."""
    expires: TimeOrNever
    revoked: TimeOrNever


class KeysAnswer(BaseModel):
    """All keys, revoked ones too."""

    data: list[KeyView]


class KeyAnswer(BaseModel):
    """One key."""

    data: KeyView


class NewKeyView(KeyView):
    """A key at the one time at which it is shown."""

    key: str
    """Give it as `Authorization: Bearer ...`. It is not kept and cannot be shown again."""


class NewKeyAnswer(BaseModel):
    """The key that was made."""

    data: NewKeyView


@router.get("", operation_id="listKeys", summary="All keys", response_model=KeysAnswer, responses=KEYS_UNREADABLE)
async def list_keys(caller: Admin, context: Context) -> Response:  # noqa: ARG001 - the role
    """Return every key with its role and when it was used last, revoked ones too, in the order they were made."""
    try:
        keys = context.doorkeeper.keyring.file.read()
    except KeyFileError as error:
        raise _unreadable() from error
    uses = context.doorkeeper.keyring.last_uses()
    return _answer(KeysAnswer(data=[_view(key, uses.get(key.id)) for key in keys.values()]))


@router.post(
    "",
    operation_id="createKey",
    summary="Make a key",
    status_code=HTTPStatus.CREATED,
    response_model=NewKeyAnswer,
    responses=KEYS_UNREADABLE,
)
async def create_key(body: KeyBody, caller: Admin, context: Context) -> Response:
    """Make a key and show it, this once."""
    now_ns = time.time_ns()
    expires_ns = None if body.days is None else now_ns + body.days * NS_PER_DAY
    try:
        made = context.doorkeeper.keyring.file.add(body.name, body.role, now_ns, expires_ns)
    except ValueError as error:
        wrong = ParameterProblem(where="body", name="name", expected=str(error))
        raise wrong_parameters([wrong]) from error
    except KeyFileError as error:
        raise _unreadable() from error
    context.doorkeeper.note(caller, f"made the key {made.key.id} ({made.key.name}, {made.key.role.value})")
    view = NewKeyView(key=made.text, **_view(made.key, None).model_dump())
    return _answer(NewKeyAnswer(data=view), HTTPStatus.CREATED)


@router.delete(
    "/{key_id}",
    operation_id="revokeKey",
    summary="Revoke a key",
    response_model=KeyAnswer,
    responses={**UNKNOWN_KEY, **KEYS_UNREADABLE},
)
async def revoke_key(key_id: KeyId, caller: Admin, context: Context) -> Response:
    """Make a key worthless, at once and for good. Once more changes nothing."""
    file = context.doorkeeper.keyring.file
    try:
        key = file.revoke(key_id, time.time_ns())
        known = [] if key is not None else list(file.read())
    except KeyFileError as error:
        raise _unreadable() from error
    if key is None:
        raise unknown_name("key", key_id, known)
    context.doorkeeper.note(caller, f"revoked the key {key.id} ({key.name}, {key.role.value})")
    return _answer(KeyAnswer(data=_view(key, _last_use(context, key.id))))


def _last_use(context: ApiContext, key_id: str) -> int | None:
    return context.doorkeeper.keyring.last_uses().get(key_id)


def _unreadable() -> Problem:
    detail = "the keys cannot be read or written; the log of the audit service says why"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "keys_unreadable", detail, headers={"Retry-After": "1"})


def _view(key: ApiKey, last_used_ns: int | None) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        role=key.role,
        created=time_text(key.created_ns),
        last_used=_time(last_used_ns),
        expires=_time(key.expires_ns),
        revoked=_time(key.revoked_ns),
    )


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else time_text(time_ns)


def _answer(view: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(view.model_dump_json(), status, headers=headers, media_type="application/json")
