"""What every resource has at hand: the fold, its lag, and how to make an answer of one sequence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple, Self, TypeVar, final

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.audit.api.access import Doorkeeper, Viewer
from services.audit.api.answering import answer_of, has_already, headers_of
from services.audit.api.cache import AnswerCache, key_of
from services.audit.api.envelope import (
    AuditEnvelope,
    AuditPage,
    Envelope,
    Page,
    PageEnvelope,
    VerificationView,
    tag_of,
)
from services.audit.api.moment import Moment
from services.audit.api.problems import Problem
from services.audit.api.views.base import View
from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import Names, time_text
from services.audit.commands import CommandDesk
from services.audit.config import LagLimits
from services.audit.fold import Fold
from services.audit.history import History
from services.audit.holders import Holders
from services.audit.lag import Lag
from services.audit.projections import Exit, Fill, Orders
from services.audit.projections.bounded import Newest
from services.audit.projections.until import NewestUntil, OrdersUntil, RowsUntil
from services.audit.travel.reads import PastReads
from services.runtime.health import HealthReport
from services.runtime.service import Json
from tradebus.core.model.index import IndexedInstruments

V = TypeVar("V", bound=View)

RETRY_AFTER_S: Final = 1


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the API shows, and how it asks for it."""

    fold: Fold
    history: History
    lag: Callable[[], Lag]
    is_caught_up: Callable[[], bool]
    limits: LagLimits
    health: Callable[[], HealthReport]
    metrics: Callable[[], bytes]
    status: Callable[[], Mapping[str, Json]]
    doorkeeper: Doorkeeper
    commands: CommandDesk | None
    """None where the engine takes no commands: in a replay."""
    past: PastReads | None = None
    """What answers about the past; none where nothing is archived."""
    holders: Holders | None = None
    """Who acts at this moment; none where nobody asks the bus."""


class Rows(NamedTuple):
    """What has rows, as of one tick."""

    fills: Newest[Fill] | NewestUntil[Fill]
    exits: Newest[Exit] | NewestUntil[Exit]
    orders: Orders | OrdersUntil


@final
class NamesCache:
    """The names of each numbering that the journal has used, made once."""

    def __init__(self) -> None:
        self._names: dict[int, Names] = {}

    def of(self, index: IndexedInstruments) -> Names:
        """Return the names of a numbering, which the fold keeps for good."""
        names = self._names.get(id(index))
        if names is None or names.index is not index:
            names = Names(index)
            self._names[id(index)] = names
        return names


class Reading(Moment):
    """A fold at one sequence. Nothing may be awaited between making it and answering from it."""

    def __init__(
        self,
        request: Request,
        fold: Fold,
        names: NamesCache,
        cache: AnswerCache,
        then: tuple[int, int] | None = None,
    ) -> None:
        sequence, time_ns = (fold.sequence, fold.time_ns) if then is None else then
        super().__init__(fold, names.of(fold.numbering_at(sequence)), sequence, time_ns)
        self._request: Final = request
        self._cache: Final = cache

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the replica as it is at this moment, for a request."""
        state = request.app.state
        return cls(request, state.context.fold, state.names, state.cache)

    @property
    def rows(self) -> Rows:
        """Return what has rows: fills, closed positions, orders."""
        projections = self.fold.projections
        return Rows(projections.fills.rows, projections.exits.rows, projections.orders)

    @property
    def etag(self) -> str:
        """Return what names this state of the replica: its sequence, the history that led there, and its exactness."""
        return tag_of(self.fold, self.sequence)

    def answer(self, kind: type[Envelope[V]], data: Callable[[], V]) -> Response:
        """Return the answer, or 304 if the reader has it; ``data`` is asked for only where it is needed."""
        if self._is_known(self.etag):
            return self._not_modified(self.etag)
        return self._respond(kind.model_validate({**self.head(), "data": data()}))

    def answer_often(self, kind: type[BaseModel], data: Callable[[], object], part: str = "") -> Response:
        """Return a long answer that many may ask for at once, or 304; see ``AnswerCache``.

        ``part`` names what of it was asked for, where that is not all.
        """

        def build() -> str:
            return kind.model_validate({**self.head(), "data": data()}).model_dump_json()

        scope, decided = self._request.scope, self.fold.projections.commands.decided
        built = self._cache.get(key_of(scope["path"], part), self.etag, decided, build, scope.get("route"))
        return answer_of(built, self._request.headers, is_last=False)

    def answer_fresh(self, kind: type[Envelope[V]], view: V) -> Response:
        """Return what may be another although nothing has happened: no tag names it."""
        content = kind.model_validate({**self.head(), "data": view}).model_dump_json()
        return Response(content, headers={"Cache-Control": "no-store"}, media_type="application/json")

    def answer_page(self, kind: type[PageEnvelope[V]], data: Callable[[], tuple[Sequence[V], Page]]) -> Response:
        """Return a page of a list, or 304."""
        if self._is_known(self.etag):
            return self._not_modified(self.etag)
        rows, page = data()
        return self._respond(kind.model_validate({**self.head(), "data": list(rows), "page": page}))

    def answer_list(self, kind: type[Envelope[list[V]]], data: Callable[[], list[V]]) -> Response:
        """Return a whole list, or 304."""
        if self._is_known(self.etag):
            return self._not_modified(self.etag)
        return self._respond(kind.model_validate({**self.head(), "data": data()}))

    def answer_audit(self, ticks: Sequence[AuditTickView], page: AuditPage) -> Response:
        """Return a range of ticks, or 304."""
        if self._is_known(self.etag):
            return self._not_modified(self.etag)
        return self._respond(AuditEnvelope.model_validate({**self.head(), "data": list(ticks), "page": page}))

    def head(self) -> dict[str, object]:
        """Return what every envelope says before its data."""
        return {
            "sequence": self.sequence,
            "time_engine": time_text(self.time_ns),
            "mode": self.fold.mode,
            "verification": VerificationView.of_fold(self.fold),
        }

    def _is_known(self, etag: str) -> bool:
        return has_already(self._request.headers.get("if-none-match"), etag)

    def _not_modified(self, etag: str) -> Response:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers_of(etag))

    def _respond(self, envelope: BaseModel) -> Response:
        return Response(envelope.model_dump_json(), headers=headers_of(self.etag), media_type="application/json")


def check_started(context: ApiContext) -> None:
    """Raise the problem for a replica that has no state yet."""
    fold = context.fold
    if not fold.is_started:
        retry = {"Retry-After": str(RETRY_AFTER_S)}
        why = fold.broken.reason if fold.broken is not None else "the engine has not begun its journal"
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_started", f"there is no state yet: {why}", headers=retry)


def check_readable(context: ApiContext) -> None:
    """Raise the problem for a replica that cannot be read now: 503 before it has a state, and while it is behind."""
    check_started(context)
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    fold = context.fold
    if fold.broken is not None:
        return  # what it has is exact at its sequence; the envelope says that it stopped there
    lag = context.lag()
    if not context.is_caught_up() or lag.ms > context.limits.ms_max:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "replica_behind",
            f"the replica is {lag.events} events and {lag.ms} ms behind the engine's journal",
            headers=retry,
            sequence=fold.sequence,
            lag_events=lag.events,
            lag_ms=lag.ms,
        )


async def api_context(request: Request) -> ApiContext:
    """Return what the application was made with."""
    context = request.app.state.context
    assert isinstance(context, ApiContext)
    return context


@final
class Reader:
    """Makes readings; a resource that must await something makes its reading afterwards."""

    def __init__(self, request: Request, context: ApiContext, names: NamesCache, cache: AnswerCache) -> None:
        self._request: Final = request
        self.context: Final = context
        self._names: Final = names
        self._cache: Final = cache

    def names_at(self, sequence: int) -> Names:
        """Return the names that a tick of the past uses."""
        return self._names.of(self.context.fold.numbering_at(sequence))

    def now(self) -> Reading:
        """Return the replica as it is at this moment."""
        return Reading(self._request, self.context.fold, self._names, self._cache)

    def then(self, sequence: int, time_ns: int) -> "PastRows":
        """Return what makes readings of the rows as they were at a tick; only rows are of then, not the state."""
        return PastRows(self._request, self.context.fold, self._names, self._cache, (sequence, time_ns))


@final
class RowsReading(Reading):
    """The rows of a fold as they were at an earlier tick."""

    def __init__(
        self, request: Request, fold: Fold, names: NamesCache, cache: AnswerCache, then: tuple[int, int]
    ) -> None:
        super().__init__(request, fold, names, cache, then)
        until = RowsUntil(fold.projections, self.sequence)
        self._until: Final = Rows(until.fills, until.exits, until.orders)

    @property
    def rows(self) -> Rows:
        """Return the rows up to that tick."""
        return self._until

    @property
    def etag(self) -> str:
        """Return what names these rows: the tick, the run they are of, and how many have been let go of since."""
        rows = self._until
        dropped = rows.fills.dropped + rows.exits.dropped + rows.orders.dropped
        exact = "" if self.fold.is_exact else "-inexact"
        return f'"{self.sequence}-rows-{self.fold.run_first}-{dropped}{exact}"'


@final
class PastRows:
    """Makes readings of the rows as they were at a tick."""

    def __init__(
        self, request: Request, fold: Fold, names: NamesCache, cache: AnswerCache, then: tuple[int, int]
    ) -> None:
        self._parts: Final = (request, fold, names, cache, then)

    def now(self) -> RowsReading:
        """Return the rows as they were then."""
        return RowsReading(*self._parts)


async def reading(
    request: Request,
    context: Annotated[ApiContext, Depends(api_context)],
    caller: Viewer,  # noqa: ARG001 - asked for so that there is one
) -> Reader:
    """Return what makes readings for this request; raises the problem if the caller may not, or it cannot be read."""
    check_readable(context)
    names, cache = request.app.state.names, request.app.state.cache
    assert isinstance(names, NamesCache)
    assert isinstance(cache, AnswerCache)
    return Reader(request, context, names, cache)


Context = Annotated[ApiContext, Depends(api_context)]
Read = Annotated[Reader, Depends(reading)]
