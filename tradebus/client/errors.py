"""What can go wrong when the API is asked: a class per cause, made from the problem that it answers with."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

PROBLEM_TYPE: Final = "application/problem+json"
_SHOWN_CHARACTERS_MAX: Final = 200


class ClientError(Exception):
    """Anything that the client raises."""


class Unreachable(ClientError):
    """Nobody answered at the address, or the connection was lost. A command may have arrived all the same."""


class UnexpectedAnswer(ClientError):
    """An answer that is not Tradebus's: something else listens there, or another version does."""


class ProblemError(ClientError):
    """The API refused, and said why. ``code`` never changes, ``detail`` is for people.

    ``problem`` is all that was said; ``near`` are names like the one asked for; ``errors`` is everything that is wrong
    with the request: maps of ``where``, ``name``, ``expected``, ``found``. ``retry_after_s``: when to try again.
    """

    STATUS: ClassVar[int] = 0

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status: Final = status
        self.problem: Final = dict(problem)
        self.code: Final = str(problem.get("code", ""))
        self.detail: Final = str(problem.get("detail", ""))
        self.near: Final[list[str]] = list(problem.get("near") or ())
        self.errors: Final[list[dict[str, Any]]] = list(problem.get("errors") or ())
        self.retry_after_s: Final = retry_after_s
        super().__init__(_told(self.detail, self.errors))


class Unauthorized(ProblemError):
    """A key is needed, or the one that was shown is not known here."""

    STATUS = 401


class Forbidden(ProblemError):
    """The key's role is not enough."""

    STATUS = 403


class NotFound(ProblemError):
    """There is nothing of this name; ``near`` are those like it."""

    STATUS = 404


class Conflict(ProblemError):
    """The idempotency key was used for another command, or the engine takes none."""

    STATUS = 409


class Gone(ProblemError):
    """That part of the past is kept no longer."""

    STATUS = 410


class InvalidRequest(ProblemError):
    """The request makes no sense; ``errors`` says everything that is wrong with it."""

    STATUS = 422


class NotConfirmed(ProblemError):
    """In live mode a command must say so: ``Client(..., confirm_live=True)``."""

    STATUS = 428


class TooManyRequests(ProblemError):
    """Wait ``retry_after_s``."""

    STATUS = 429


class ServiceUnavailable(ProblemError):
    """The replica is behind or not there yet, or a command could not be sent; try again after ``retry_after_s``."""

    STATUS = 503


class CommandRejected(ClientError):
    """The engine did not carry a command out, or risk declined all of it. ``progress`` says everything."""

    def __init__(self, progress: Any) -> None:  # noqa: ANN401 - a CommandProgressView; importing it here takes long
        super().__init__(f"command {progress.id} rejected: {progress.reason}")
        self.progress: Final = progress


class CommandLost(ClientError):
    """A command has expired, and what became of it, if anything has, will not be known. ``progress`` says why."""

    def __init__(self, progress: Any) -> None:  # noqa: ANN401 - as above
        super().__init__(f"command {progress.id} is lost: {progress.reason}")
        self.progress: Final = progress


class CommandTimeout(ClientError):
    """Nothing has become of a command yet; it may still be applied until ``progress.expires``."""

    def __init__(self, progress: Any, waited_s: float) -> None:  # noqa: ANN401 - as above
        super().__init__(f"command {progress.id} was not applied within {waited_s:g} s; it expires {progress.expires}")
        self.progress: Final = progress


_BY_STATUS: Final = {kind.STATUS: kind for kind in ProblemError.__subclasses__()}


def error_of(status: int, media_type: str, body: bytes, retry_after: str | None) -> ClientError:
    """Return the exception for an answer that is no success."""
    if media_type.partition(";")[0].strip() != PROBLEM_TYPE:
        shown = body[:_SHOWN_CHARACTERS_MAX].decode(errors="replace")
        return UnexpectedAnswer(f"expected an answer of Tradebus's API, found {status} {media_type}: {shown!r}")
    try:
        problem = json.loads(body)
        retry_s = None if retry_after is None else float(retry_after)
    except ValueError as error:
        return UnexpectedAnswer(f"expected a problem of Tradebus's API, found {error}")
    return _BY_STATUS.get(status, ProblemError)(status, problem, retry_s)


def _told(detail: str, errors: list[dict[str, Any]]) -> str:
    lines = [f"{each.get('name') or each.get('where')}: expected {each.get('expected')}" for each in errors]
    return "; ".join([detail, *lines])
