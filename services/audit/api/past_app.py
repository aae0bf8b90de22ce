"""The API's own routes over a fold of the past, asked without a socket: what a moment's answer is built with."""

import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, final

from fastapi import FastAPI, Request
from structlog import get_logger

from services.audit.api import problems
from services.audit.api.access import Doorkeeper, Keyring
from services.audit.api.access.bad_keys import BadKeys
from services.audit.api.cache import AnswerCache
from services.audit.api.context import NamesCache, Reading, reading
from services.audit.api.diff import SeenState, diff_view, seen
from services.audit.api.envelope import Envelope
from services.audit.api.resources import assets, connectivity, instruments, positions, state, statistics, trading
from services.audit.api.security import Message
from services.audit.api.views.diff import StateDiffView
from services.audit.fold import Fold
from services.audit.travel.question import PastAnswer, Question
from tradebus.access import KeyFile

STATE_RESOURCES: Final = (state, trading, connectivity, assets, instruments, positions, statistics)
"""What is answered from the state alone; what grows is with the replica."""


@dataclass(frozen=True, slots=True)
class _PastContext:
    """What the routes ask of their surroundings: who asks was admitted already, and leases are of now, not of then."""

    doorkeeper: Doorkeeper
    holders: None = None


@final
class _PastReader:
    """Makes readings of a fold of the past."""

    def __init__(self, request: Request, fold: Fold, names: NamesCache) -> None:
        self.context: Final = request.app.state.context
        self._parts: Final = (request, fold, names, AnswerCache())

    def now(self) -> Reading:
        """Return the fold as it was."""
        return Reading(*self._parts)


@final
class PastApp:
    """Answers of one fold after the other."""

    def __init__(self) -> None:
        self._names: Final = NamesCache()
        self._fold: Fold | None = None
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        for resource in STATE_RESOURCES:
            app.include_router(resource.router)
        problems.install(app, get_logger("past"))
        keyring = Keyring(KeyFile(Path(os.devnull)))
        app.state.context = _PastContext(Doorkeeper(keyring, BadKeys(), reading_without_key=True))
        app.dependency_overrides[reading] = self._reading
        self._app: Final = app

    async def get(self, fold: Fold, question: Question) -> PastAnswer:
        """Return what the API answers to a question about this fold."""
        self._fold = fold
        status = 0
        headers: dict[str, str] = {}
        body: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.update((name.decode(), value.decode()) for name, value in message["headers"])
            else:
                body.append(message.get("body", b""))

        await self._app(_scope(question), receive, send)
        headers.pop("content-length", None)
        return PastAnswer(status, headers, b"".join(body))

    def seen(self, fold: Fold, question: Question) -> tuple[SeenState, str]:
        """Return the state of a fold as it is shown, and its tag."""
        reading = Reading(Request(_scope(question)), fold, self._names, AnswerCache())
        return seen(reading), reading.etag

    def diff(self, before: tuple[SeenState, str], fold: Fold, question: Question) -> PastAnswer:
        """Return in what a fold's state differs from one that was seen, in the envelope of the fold."""
        reading = Reading(Request(_scope(question)), fold, self._names, AnswerCache())
        earlier, tag = before
        answer = reading.answer(Envelope[StateDiffView], lambda: diff_view(earlier, seen(reading)))
        headers = dict(answer.headers)
        headers.pop("content-length", None)
        headers["etag"] = f"{tag[:-1]}..{reading.etag[1:]}"
        return PastAnswer(HTTPStatus.OK, headers, bytes(answer.body))

    async def _reading(self, request: Request) -> _PastReader:
        assert self._fold is not None, "a question is about a fold"
        return _PastReader(request, self._fold, self._names)


def _scope(question: Question) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": question.path,
        "raw_path": question.path.encode(),
        "query_string": question.query.encode(),
        "root_path": "",
        "headers": [],
        "client": None,
        "server": ("past", 80),
    }
