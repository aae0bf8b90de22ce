"""Answer before the routes what was answered some milliseconds ago: finding its way there costs more than the answer.

Plain ASGI, behind the entrance, which has let the request in. Only what is asked for without parameters and would be
given is given here; whatever is to be refused, or to be built, is left to the routes.
"""

from typing import Final, final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from services.audit.api.access.caller import AccessDenied
from services.audit.api.access.require import found_in
from services.audit.api.answering import answer_of
from services.audit.api.cache import AnswerCache, Built, key_of
from services.audit.api.context import ApiContext, check_readable
from services.audit.api.envelope import tag_of
from services.audit.api.problems import Problem
from services.audit.api.security import Receive, Scope, Send
from tradebus.access import Role


@final
class Again:
    """Wraps the application."""

    def __init__(self, app: FastAPI) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        built = self._find(scope)
        if built is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = built.route
        await answer_of(built, Headers(scope=scope), is_last=True)(scope, receive, send)

    def _find(self, scope: Scope) -> Built | None:
        """Return the answer to a request, if there is one that who asks may have now."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        context, cache = self._app.state.context, self._app.state.cache
        assert isinstance(context, ApiContext)
        assert isinstance(cache, AnswerCache)
        fold = context.fold
        if not fold.is_started:
            return None
        built = cache.fresh(key_of(scope["path"]), tag_of(fold, fold.sequence), fold.projections.commands.decided)
        if built is None:
            return None
        doorkeeper = context.doorkeeper
        try:
            doorkeeper.admit(found_in(HTTPConnection(scope), doorkeeper), Role.VIEWER)
            check_readable(context)
        except (AccessDenied, Problem):
            return None
        return built
