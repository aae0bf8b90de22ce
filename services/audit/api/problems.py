"""Say what is wrong with a request, or with us, as RFC 9457 problems with a code that never changes."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from structlog.stdlib import BoundLogger

from services.audit.api.access.caller import AccessDenied, Denial
from services.audit.api.elsewhere import AnsweredElsewhere

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN_CHARACTERS_MAX: Final = 200
"""What was asked for is repeated in the answer, but not at any length."""

_NEAR_MAX: Final = 5
_NEAR_CUTOFF: Final = 0.5
_TITLES: Final = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "URI Too Long",
}
"""Where the phrase of `http` depends on the version of Python."""


_DENIED: Final = {
    Denial.ROLE_REQUIRED: HTTPStatus.FORBIDDEN,
    Denial.TOO_MANY_BAD_KEYS: HTTPStatus.TOO_MANY_REQUESTS,
    Denial.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    Denial.KEYS_UNREADABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class ParameterProblem(BaseModel):
    """What is wrong with one parameter."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    where: str
    """`query` or `path`."""
    name: str
    expected: str
    found: str | None = None
    near: list[str] | None = None
    """Names that look like the one given."""


class ProblemView(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """A URI that names the kind of problem: `urn:tradebus:problem:` and the code."""
    title: str
    status: int
    code: str
    """What programs act on; never changes."""
    detail: str
    instance: str
    """The path that was asked for."""
    near: list[str] | None = Field(default=None)
    """Names that look like the one asked for."""
    errors: list[ParameterProblem] | None = Field(default=None)
    """Everything that is wrong with the parameters."""
    sequence: int | None = Field(default=None)
    """The replica's sequence, where that is the point."""
    lag_events: int | None = Field(default=None)
    lag_ms: int | None = Field(default=None)


class Problem(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        near: Sequence[str] | None = None,
        errors: Sequence[ParameterProblem] | None = None,
        **members: int,
    ) -> None:
        super().__init__(detail)
        self.status: Final = status
        self.code: Final = code
        self.detail: Final = detail
        self.headers: Final = dict(headers or {})
        self.members: Final[dict[str, Any]] = dict(members)
        if near:
            self.members["near"] = list(near)
        if errors:
            self.members["errors"] = list(errors)


def near_matches(name: str, known: Sequence[str]) -> list[str]:
    """Return the known names that look most like one that is not known, best first."""
    if len(name) > _SHOWN_CHARACTERS_MAX:
        return []
    return get_close_matches(name.lower(), known, n=_NEAR_MAX, cutoff=_NEAR_CUTOFF)


def unknown_name(what: str, name: str, known: Sequence[str]) -> Problem:
    """Return the 404 for a name in the path, with near matches."""
    near = near_matches(name, known)
    hint = f"; near: {', '.join(near)}" if near else ""
    return Problem(HTTPStatus.NOT_FOUND, f"unknown_{what}", f"there is no {what} {shown(name)!r}{hint}", near=near)


def wrong_parameters(errors: Sequence[ParameterProblem]) -> Problem:
    """Return the 422 that lists everything that is wrong with the parameters."""
    count = len(errors)
    detail = f"{count} {'parameter is' if count == 1 else 'parameters are'} wrong"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_parameters", detail, errors=errors)


def shown(text: str) -> str:
    """Return what somebody sent as it can be repeated to them."""
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}…"


def problem_view(problem: Problem, instance: str) -> ProblemView:
    """Return a problem as it is told; ``instance`` is what was asked for."""
    return ProblemView(
        type=f"urn:tradebus:problem:{problem.code}",
        title=_TITLES.get(problem.status, problem.status.phrase),
        status=problem.status,
        code=problem.code,
        detail=problem.detail,
        instance=shown(instance),
        **problem.members,
    )


def problem_response(request: HTTPConnection, problem: Problem) -> Response:
    """Return a problem as the answer to a request."""
    view = problem_view(problem, request.url.path)
    headers = {"Cache-Control": "no-store", **problem.headers}
    body = view.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def malformed_body(detail: str) -> bytes:
    """Return the body of the answer to what is not even HTTP, and so has no path."""
    view = ProblemView(
        type="urn:tradebus:problem:malformed_request",
        title=HTTPStatus.BAD_REQUEST.phrase,
        status=HTTPStatus.BAD_REQUEST,
        code="malformed_request",
        detail=detail,
        instance="",
    )
    return view.model_dump_json(exclude_none=True).encode()


def denied_problem(denied: AccessDenied) -> Problem:
    """Return the problem of a request that was refused for who it is from."""
    headers = {"Retry-After": str(denied.retry_after_s)} if denied.retry_after_s else {}
    status = _DENIED.get(denied.denial, HTTPStatus.UNAUTHORIZED)
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="tradebus"'
    return Problem(status, denied.denial.value, denied.detail, headers=headers)


def install(app: FastAPI, log: BoundLogger) -> None:
    """Answer with problems whatever goes wrong; what we did not expect is logged, and told without details."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(request, error)

    @app.exception_handler(AnsweredElsewhere)
    async def on_answered(_: Request, answered: Exception) -> Response:
        assert isinstance(answered, AnsweredElsewhere)
        return answered.response

    @app.exception_handler(AccessDenied)
    async def on_denied(request: Request, error: Exception) -> Response:
        assert isinstance(error, AccessDenied)
        return problem_response(request, denied_problem(error))

    @app.exception_handler(RequestValidationError)
    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(request, wrong_parameters(parameter_problems(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_response(request, _of_http(request, error))

    @app.exception_handler(Exception)
    async def on_anything(request: Request, error: Exception) -> Response:
        log.error("a request failed", path=request.url.path, exc_info=error)
        detail = "something went wrong here; the log of the audit service says what"
        return problem_response(request, Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail))


def parameter_problems(error: RequestValidationError) -> list[ParameterProblem]:
    """Return what a validation found, one entry for each parameter and reason."""
    found: list[ParameterProblem] = []
    for each in error.errors():
        where, *names = (str(part) for part in each["loc"])
        value = each.get("input")
        found.append(
            ParameterProblem(
                where=where,
                name=shown(".".join(names)),
                expected=each["msg"].removeprefix("Input should be ").removeprefix("Value error, "),
                found=None if value is None else shown(str(value)),
                near=(each.get("ctx") or {}).get("near"),
            )
        )
    return found


def _of_http(request: Request, error: HTTPException) -> Problem:
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.NOT_FOUND:
        return Problem(
            status, "no_such_path", f"there is nothing at {shown(request.url.path)}; /docs lists what there is"
        )
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{shown(request.method)} is not possible at {shown(request.url.path)}"
        return Problem(status, "method_not_allowed", detail, headers=error.headers)
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Problem(status, "body_too_large", str(error.detail))
    return Problem(status, status.name.lower(), str(error.detail), headers=error.headers)
