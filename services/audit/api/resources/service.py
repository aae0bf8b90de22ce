"""`/health`, `/version`, `/status`, `/metrics`: how the audit service itself is."""

import platform
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from services.audit.api.access import viewer
from services.audit.api.context import ApiContext, Context
from services.audit.api.strict import StrictRoute
from services.audit.api.views.values import TimeOrNever, time_text
from services.runtime.lifecycle import State
from services.runtime.metrics import CONTENT_TYPE
from tradebus import __version__
from tradebus.core._compiled import COMPILED
from tradebus.core.engine.audit.canonical import HASH_VERSION

router = APIRouter(tags=["service"], route_class=StrictRoute)


class LiveView(BaseModel):
    """Whether the process runs."""

    state: str


class ReplicaView(BaseModel):
    """How the replica is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    sequence: int
    """The last tick applied; -1 before the first."""
    is_started: bool
    """Whether there is a state to read."""
    is_exact: bool
    """Whether nothing speaks against it being the engine's state at that sequence."""
    lag_events: int
    lag_ms: int
    time_stored: TimeOrNever
    """When the last batch that it has was stored, by the server's clock: an engine that stands still shows here."""


class ReadyView(BaseModel):
    """Whether the service does all of its work, and why not."""

    ready: bool
    state: str
    reasons: dict[str, str]
    replica: ReplicaView


class VersionView(BaseModel):
    """What runs."""

    service: str
    version: str
    api: str
    core: str
    python: str
    hash_version: int


@router.get("/health/live", operation_id="getLive", summary="Whether the process runs", response_model=LiveView)
async def get_live(context: Context) -> Response:
    """Answer as long as the event loop does and the process is not at its end."""
    state = context.health().state
    code = HTTPStatus.SERVICE_UNAVAILABLE if state is State.STOPPED else HTTPStatus.OK
    return _json(LiveView(state=state.value), code)


@router.get(
    "/health/ready",
    operation_id="getReady",
    summary="Whether the replica is in sync",
    response_model=ReadyView,
    responses={503: {"model": ReadyView, "description": "Not ready: the reasons say why"}},
)
async def get_ready(context: Context) -> Response:
    """Answer 200 while the replica is in sync and agrees with the engine, 503 otherwise, with lag and reasons."""
    report = context.health()
    view = ReadyView(ready=report.ready, state=report.state.value, reasons=report.reasons, replica=_replica(context))
    return _json(view, HTTPStatus.OK if report.ready else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/version", operation_id="getVersion", summary="What runs", response_model=VersionView)
async def get_version() -> Response:
    """Return the versions of the service, its API, its core and the state hash."""
    view = VersionView(
        service="audit",
        version=__version__,
        api="v1",
        core="compiled" if COMPILED else "interpreted",
        python=platform.python_version(),
        hash_version=HASH_VERSION,
    )
    return _json(view, HTTPStatus.OK)


@router.get("/status", operation_id="getStatus", summary="The service's own figures", dependencies=[Depends(viewer)])
async def get_status(context: Context) -> dict[str, Any]:
    """Return sequence, hash of the replica's own state, verification and counts: for supervisors and tools."""
    return dict(context.status())


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(context: Context) -> Response:
    """Return the metrics in the Prometheus text format."""
    return Response(context.metrics(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)


def _replica(context: ApiContext) -> ReplicaView:
    fold = context.fold
    lag = context.lag()
    return ReplicaView(
        sequence=fold.sequence,
        is_started=fold.is_started,
        is_exact=fold.is_exact,
        lag_events=lag.events,
        lag_ms=lag.ms,
        time_stored=time_text(fold.stored_ns) if fold.stored_ns else None,
    )


def _json(view: BaseModel, status: HTTPStatus) -> Response:
    return Response(
        view.model_dump_json(), status, headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
