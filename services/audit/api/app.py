"""Put the API together: resources, problems, headers, documents."""

from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from structlog.stdlib import BoundLogger

from services.audit.api import documents, packing, page, problems
from services.audit.api.access.rates import Rates
from services.audit.api.again import Again
from services.audit.api.cache import AnswerCache
from services.audit.api.context import ApiContext
from services.audit.api.entrance import Entrance
from services.audit.api.resources import (
    assets,
    audit,
    commands,
    connectivity,
    instruments,
    journal,
    keys,
    lives,
    orders,
    positions,
    service,
    state,
    statistics,
    streams,
    trades,
    trading,
)
from services.audit.api.security import Application, Guard
from services.audit.api.stream.hub import StreamHub
from services.audit.config import RequestLimits
from services.audit.metrics import AuditMetrics

OPENAPI_URL: Final = "/openapi.json"

RESOURCES: Final = (
    state,
    trading,
    connectivity,
    assets,
    instruments,
    positions,
    statistics,
    orders,
    lives,
    trades,
    journal,
    audit,
    commands,
    streams,
    keys,
    service,
)


def build_api(context: ApiContext, hub: StreamHub, log: BoundLogger) -> FastAPI:
    """Return the application without what wraps it."""
    app = FastAPI(title=documents.TITLE, docs_url=None, redoc_url=None, openapi_url=OPENAPI_URL)
    app.state.context = context
    app.state.names = hub.names
    app.state.streams = hub
    app.state.cache = AnswerCache()
    for resource in RESOURCES:
        app.include_router(resource.router)
    problems.install(app, log)
    documents.install(app)
    page.install(app, OPENAPI_URL)
    app.add_middleware(
        GZipMiddleware,
        minimum_size=packing.BYTES_MIN,
        compresslevel=packing.LEVEL,
        thread_minimum_size=packing.BYTES_AT_ONCE,
    )
    return app


def build_application(
    context: ApiContext, hub: StreamHub, metrics: AuditMetrics, log: BoundLogger, limits: RequestLimits
) -> Application:
    """Return the whole application as the server runs it."""
    rates, app = Rates(limits.requests_per_s), build_api(context, hub, log)
    return Guard(Entrance(Again(app), context.doorkeeper, rates, limits.body_bytes_max), metrics)
