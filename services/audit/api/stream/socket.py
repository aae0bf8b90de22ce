"""Speak the stream over a websocket: the client says in messages what it wants, and gets the same events.

One message is one JSON object. A message that cannot be understood is answered with an `error` and changes nothing;
one that is too large ends the connection (1009), which the server sees to before anything is read of it.
"""

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Final, Literal, final
from urllib.parse import urlsplit

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from services.audit.api.access import AccessDenied, viewer
from services.audit.api.context import ApiContext, NamesCache, check_readable
from services.audit.api.problems import (
    ParameterProblem,
    Problem,
    denied_problem,
    problem_response,
    shown,
    wrong_parameters,
)
from services.audit.api.stream.event import Mark, Message, Topic
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.query import Asked, WrongQuery, read_query
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.selection import RATE_DEFAULT, RATE_MAX, RATE_MIN, Selection
from services.audit.api.views.values import Names

MESSAGE_BYTES_MAX: Final = 16 * 1024
"""So large may a client's message be."""
ANSWERS_WAITING_MAX: Final = 16
"""So many answers may wait to be taken before the client's next message is read."""
STOPPING: Final = (1001, "the service stops")
NOT_ALLOWED: Final = 1008


class Subscribe(BaseModel):
    """Ask for topics, all without any named, beside what is subscribed already."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["subscribe"]
    topics: list[str] | None = None
    instruments: list[str] | None = None
    max_rate: float | None = Field(default=None, ge=RATE_MIN, le=RATE_MAX, allow_inf_nan=False)
    from_: Annotated[int | str | None, Field(alias="from")] = None


class Unsubscribe(BaseModel):
    """Ask for topics no more, for nothing without any named."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["unsubscribe"]
    topics: list[str] | None = None


_REQUEST: Final[TypeAdapter[Subscribe | Unsubscribe]] = TypeAdapter(
    Annotated[Subscribe | Unsubscribe, Field(discriminator="type")]
)


def frame(message: Message, suffix: str) -> str:
    """Return a message as it is sent; ``suffix`` stands behind its id."""
    place = "" if message.id is None else f'"id":"{message.id}{suffix}",'
    if not message.name:
        return f'{{{place}"event":"keep_alive"}}'
    return f'{{{place}"event":"{message.name}","data":{message.data.decode()}}}'


async def serve_socket(websocket: WebSocket, hub: StreamHub) -> None:
    """Serve one websocket until either side ends it."""
    try:
        reader = _admit(websocket, hub)
    except Problem as problem:
        await websocket.send_denial_response(problem_response(websocket, problem))
        return
    talk = Conversation(websocket, hub, reader)
    try:
        await websocket.accept()
        await talk.run()
    finally:
        hub.leave(reader)


def _admit(websocket: WebSocket, hub: StreamHub) -> Reader:
    """Make room for a reader. Raises the problem for one that may not read, or finds nothing to read."""
    try:
        viewer.admit(websocket)
    except AccessDenied as denied:
        raise denied_problem(denied) from denied
    # A browser sends where a page comes from and, unlike with requests, leaves it to us to refuse other places.
    origin = websocket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != websocket.headers.get("host"):
        detail = f"expected a page of this service, found one of {shown(origin)}"
        raise Problem(HTTPStatus.FORBIDDEN, "foreign_origin", detail)
    if websocket.query_params:
        wrong = [
            ParameterProblem(where="query", name=shown(name), expected="no query parameters")
            for name in websocket.query_params
        ]
        raise wrong_parameters(wrong)
    context = websocket.app.state.context
    assert isinstance(context, ApiContext)
    check_readable(context)
    return hub.enter(lambda: viewer.admits_still(websocket))


@final
class Conversation:
    """What client and server say to each other: one task sends all, so that answers and events stay in order."""

    def __init__(self, websocket: WebSocket, hub: StreamHub, reader: Reader) -> None:
        self._websocket: Final = websocket
        self._hub: Final = hub
        self._reader: Final = reader
        context, names = websocket.app.state.context, websocket.app.state.names
        assert isinstance(context, ApiContext)
        assert isinstance(names, NamesCache)
        self._context: Final = context
        self._names: Final = names

    async def run(self) -> None:
        """Listen and send until either ends."""
        listening = asyncio.create_task(self._listen(), name="stream listener")
        try:
            while messages := await self._hub.next(self._reader):
                async with asyncio.timeout(self._hub.limits.stalled_s):
                    for message in messages:
                        await self._websocket.send_text(frame(message, self._hub.id_suffix))
            if not listening.done():
                code, why = (NOT_ALLOWED, "the key is not good any more") if self._reader.is_turned_out else STOPPING
                await self._websocket.close(code, why)
        except TimeoutError:
            self._hub.note_stalled()
        except WebSocketDisconnect:
            pass  # it went while it was being sent to
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen(self) -> None:
        try:
            while True:
                received = await self._websocket.receive()
                if received["type"] == "websocket.disconnect":
                    return
                try:
                    await self._answer(received.get("text"))
                except Problem as problem:
                    self._say("error", _problem_body(problem))
                await self._reader.wait_room(ANSWERS_WAITING_MAX)
        finally:
            self._reader.close()

    async def _answer(self, text: str | None) -> None:
        request = _request(text)
        names = self._names.of(self._context.fold.numbering_at(self._context.fold.sequence))
        if isinstance(request, Subscribe):
            await self._subscribe(request, names)
        else:
            self._unsubscribe(request, names)

    async def _subscribe(self, request: Subscribe, names: Names) -> None:
        reader, before = self._reader, self._reader.selection
        rate = request.max_rate
        if rate is None:
            rate = RATE_DEFAULT if before is None else before.max_rate
        text = None if request.from_ is None else str(request.from_)
        asked, mark = _read(names, Asked("message", request.topics, request.instruments, rate, text, "from", "message"))
        if before is None:
            self._confirm(asked, names)
            await self._hub.open(reader, asked, mark)
        elif mark is not None:
            expected = "nothing where something is subscribed already: unsubscribe first"
            raise wrong_parameters([ParameterProblem(where="message", name="from", expected=expected, found=str(mark))])
        else:
            instruments = before.instruments if request.instruments is None else asked.instruments
            wanted = Selection(before.topics | asked.topics, instruments, rate)
            self._hub.begin(reader, wanted, lambda: self._confirm(wanted, names))

    def _unsubscribe(self, request: Unsubscribe, names: Names) -> None:
        before = self._reader.selection
        dropped, _ = _read(names, Asked("message", request.topics, None, RATE_DEFAULT, None, "", ""))
        left = frozenset() if before is None else before.topics - dropped.topics
        if before is not None:
            wanted = Selection(left, before.instruments, before.max_rate) if left else None
            self._hub.narrow(self._reader, wanted)
        self._confirm(self._reader.selection, names)

    def _confirm(self, selection: Selection | None, names: Names) -> None:
        """Say what is subscribed from here on."""
        chosen = None if selection is None else selection.instruments
        body = {
            "topics": [topic for topic in Topic if selection is not None and topic in selection.topics],
            "instruments": None if chosen is None else [names.instruments[each] for each in sorted(chosen)],
            "max_rate": None if selection is None else selection.max_rate,
        }
        self._say("subscribed", json.dumps(body))

    def _say(self, name: str, body: str) -> None:
        self._reader.pending.append(Message(None, name, body.encode()))
        self._reader.wake()


def _request(text: str | None) -> Subscribe | Unsubscribe:
    """Return what a client's message asks for. Raises the problem that says what is wrong with it."""
    if text is None:
        raise wrong_parameters([ParameterProblem(where="message", name="", expected="text, not bytes")])
    try:
        return _REQUEST.validate_json(text)
    except ValidationError as error:
        wrong = [
            ParameterProblem(
                where="message",
                name=shown(".".join(str(part) for part in each["loc"] if part not in _KINDS)),
                expected=each["msg"].removeprefix("Input should be "),
                found=shown(str(each["input"])),
            )
            for each in error.errors(include_url=False)
        ]
        raise wrong_parameters(wrong) from error


def _read(names: Names, asked: Asked) -> tuple[Selection, Mark | None]:
    try:
        return read_query(names, asked)
    except WrongQuery as wrong:
        raise wrong_parameters(wrong.errors) from wrong


_KINDS: Final = frozenset({"subscribe", "unsubscribe"})


def _problem_body(problem: Problem) -> str:
    body: dict[str, object] = {"code": problem.code, "detail": problem.detail}
    errors: list[ParameterProblem] = problem.members.get("errors", [])
    if errors:
        body["errors"] = [each.model_dump(exclude_none=True) for each in errors]
    return json.dumps(body)
