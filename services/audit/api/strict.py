"""Refuse query parameters that a route does not know, together with everything else that is wrong with them."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from services.audit.api.access.require import needed_by
from services.audit.api.problems import near_matches


class StrictRoute(APIRoute):
    """A route that takes the query parameters it declares, each at most once, and no others, from who may ask."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the check before it."""
        handle = super().get_route_handler()
        known = sorted(_query_parameters(self.dependant))
        needed = needed_by(self.dependant)

        async def strict(request: Request) -> Response:
            if needed is not None:
                # Before anything is read of the request: who may not ask is not told what is wrong with the question.
                needed.admit(request)
            wrong = _wrong(request, known)
            if not wrong:
                try:
                    return await handle(request)
                except HTTPException as error:
                    if not isinstance(error.__cause__, UnicodeDecodeError):
                        raise
                    # FastAPI answers 422 to a body that is no JSON, and 400 to one that is not even text.
                    not_text = {"loc": ("body",), "msg": "JSON in UTF-8", "input": "other bytes", "ctx": {}}
                    raise RequestValidationError([not_text]) from error
            # Reading changes nothing, so the handler may say what else is wrong before the request is refused.
            others: list[Any] = []
            request.state.is_refused = True
            if request.method == "GET":
                try:
                    await handle(request)
                except RequestValidationError as error:
                    others = list(error.errors())
            raise RequestValidationError([*wrong, *others])

        return strict


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a route and of everything it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _wrong(request: Request, known: list[str]) -> list[dict[str, Any]]:
    counts = Counter(name for name, _ in request.query_params.multi_items())
    wrong: list[dict[str, Any]] = []
    for name, count in counts.items():
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "no query parameters"
            context = {"near": near_matches(name, known) or None}
            wrong.append({"loc": ("query", name), "msg": expected, "input": name, "ctx": context})
        elif count > 1:
            wrong.append({"loc": ("query", name), "msg": "at most one value", "input": f"{count} values", "ctx": {}})
    return wrong
