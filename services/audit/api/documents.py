"""Describe the API as OpenAPI: the problems of each operation, and a real example for each answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from services.audit.api.access import Doorkeeper, Role, role_of
from services.audit.api.problems import MEDIA_TYPE, ProblemView
from tradebus import __version__

TITLE: Final = "Tradebus"
DESCRIPTION: Final = """\
The state of a trading engine, exact at every sequence of its audit journal.

Every answer is an envelope: `sequence` names the audit tick that all of `data` is of, `verification` says whether the
replica's own state hash was equal to the engine's. Decimals are text, times are RFC 3339 in UTC with nanoseconds,
exchanges, assets and instruments go by name. `ETag` names the sequence: ask with `If-None-Match` and get 304 while
nothing has happened. `at=<sequence>` or `at_time=<time>` asks for what was then. Errors are `application/problem+json`
with a stable `code`.
"""
TAGS: Final = (
    ("state", "The whole replica"),
    ("trading", "Whether algorithmic trading is on"),
    ("connectivity", "Feeds and accounts"),
    ("assets", "Balances"),
    ("instruments", "Market data, orders and position of each instrument"),
    ("positions", "Open and closed positions"),
    ("orders", "Orders and their lives"),
    ("trades", "Our fills"),
    ("statistics", "What trading was worth"),
    ("audit", "The journal itself"),
    ("commands", "What operators ask of the engine, and what became of it"),
    ("streams", "What changes, as it changes"),
    ("keys", "Who may use this API, for admins"),
    ("service", "Health, version and figures of the service"),
)
EXAMPLES: Final = Path(__file__).parent / "examples"

Responses = dict[int | str, dict[str, Any]]


def _problem(status: int, title: str, code: str, detail: str, path: str, **members: object) -> Responses:
    example = {
        "type": f"urn:tradebus:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": path,
        **members,
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}, "example": example}}
    return {status: {"description": title, "content": content}}


NOT_MODIFIED: Final[Responses] = {304: {"description": "Nothing has happened since the `ETag` that was given"}}
KEY_REQUIRED: Final = _problem(
    401,
    "Unauthorized",
    "key_required",
    "a key is needed here: `Authorization: Bearer tb_...`; `tradebus key new` makes one",
    "/v1/state",
)
ROLE_REQUIRED: Final = _problem(
    403,
    "Forbidden",
    "role_required",
    "this needs the role operator; the key 1f00ab42 (dashboard) has viewer",
    "/v1/commands/trading-state",
)
TOO_MANY: Final = _problem(
    429,
    "Too Many Requests",
    "too_many_requests",
    "more than 1000 requests a second from dashboard (key 1f00ab42); try again in 1 s",
    "/v1/state",
)
WRONG_PARAMETERS: Final = _problem(
    422,
    "Unprocessable Content",
    "invalid_parameters",
    "1 parameter is wrong",
    "/v1/trades",
    errors=[{"where": "query", "name": "limt", "expected": "one of cursor, limit, order", "near": ["limit"]}],
)
BEHIND: Final = _problem(
    503,
    "Service Unavailable",
    "replica_behind",
    "the replica is 18210 events and 2630 ms behind the engine's journal",
    "/v1/state",
    sequence=90_114,
    lag_events=18_210,
    lag_ms=2_630,
)
STREAM_PROBLEMS: Final[Responses] = {
    **KEY_REQUIRED,
    **WRONG_PARAMETERS,
    **BEHIND,
    **_problem(
        429,
        "Too Many Requests",
        "too_many_streams",
        "there are 256 streams, and no more than 256 at a time",
        "/v1/stream",
    ),
}
READ_PROBLEMS: Final[Responses] = {**NOT_MODIFIED, **KEY_REQUIRED, **WRONG_PARAMETERS, **BEHIND}
SCHEME: Final = "key"
SECURITY_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key from `tradebus key new` or `POST /v1/keys`, with the role viewer, operator or admin.",
}
UNKNOWN_NAME: Final = _problem(
    404,
    "Not Found",
    "unknown_instrument",
    "there is no instrument 'sim_alpha-btc_usd'; near: sim_alpha-btc_usdt",
    "/v1/instruments/sim_alpha-btc_usd",
    near=["sim_alpha-btc_usdt"],
)
PRUNED: Final = _problem(
    410, "Gone", "pruned", "tick 12 is no longer in the stream; the archive may have it", "/v1/audit/12"
)
UNKNOWN_KEY: Final = _problem(
    404,
    "Not Found",
    "unknown_key",
    "there is no key '1f00ab43'; near: 1f00ab42",
    "/v1/keys/1f00ab43",
    near=["1f00ab42"],
)
KEYS_UNREADABLE: Final = _problem(
    503,
    "Service Unavailable",
    "keys_unreadable",
    "the keys cannot be read or written; the log of the audit service says why",
    "/v1/keys",
)
UNKNOWN_COMMAND: Final = _problem(
    404,
    "Not Found",
    "unknown_command",
    "there is no command '3f0a'",
    "/v1/commands/3f0a",
)
COMMAND_PROBLEMS: Final[Responses] = {
    **KEY_REQUIRED,
    **ROLE_REQUIRED,
    **_problem(
        409,
        "Conflict",
        "idempotency_conflict",
        "the key 'off-1' was used for another command, trading_state: 6b8e2c0d6f9f3a5c1d2e4f60718293a4",
        "/v1/commands/open-orders",
    ),
    **_problem(
        422,
        "Unprocessable Content",
        "invalid_parameters",
        "2 parameters are wrong",
        "/v1/commands/open-orders",
        errors=[
            {
                "where": "body",
                "name": "orders.0.instrument",
                "expected": "an instrument of this journal",
                "found": "sim_alpha-btc_usd",
                "near": ["sim_alpha-btc_usdt"],
            },
            {"where": "body", "name": "orders.0.quantity", "expected": "a decimal number as text", "found": "0.1"},
        ],
    ),
    **_problem(
        428,
        "Precondition Required",
        "confirmation_required",
        "in live mode a command needs the header `X-Confirm: live`",
        "/v1/commands/trading-state",
    ),
    **_problem(
        503,
        "Service Unavailable",
        "not_sent",
        "the command could not be sent: cmd.demo: not connected; repeat it with the same key",
        "/v1/commands/trading-state",
    ),
}
NO_TICK: Final[Responses] = {
    **_problem(
        404,
        "Not Found",
        "no_such_tick",
        "there is no tick 99999 yet; the newest is 1850",
        "/v1/audit/99999",
        sequence=1_850,
    ),
    **PRUNED,
}


PAST_READ_PROBLEMS: Final[Responses] = {
    **READ_PROBLEMS,
    **_problem(
        404,
        "Not Found",
        "no_such_tick",
        "there is no tick 99999 yet; the newest is 1850",
        "/v1/state",
        sequence=1_850,
    ),
    **_problem(
        410,
        "Gone",
        "not_archived",
        "nothing is archived here, so there are no states of the past (`audit.archive`, not in a replay)",
        "/v1/state",
    ),
}
"""How a read can fail that takes `at` and `at_time`."""


def install(app: FastAPI) -> None:
    """Make the application describe itself with tags, problems and examples."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend its document


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    document = get_openapi(
        title=TITLE,
        version=__version__,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": words} for name, words in TAGS],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add_problem_schema(schemas)
    document["components"]["securitySchemes"] = {SCHEME: SECURITY_SCHEME}
    doorkeeper = app.state.context.doorkeeper
    assert isinstance(doorkeeper, Doorkeeper)
    roles = _roles(app)
    for operations in document["paths"].values():
        for operation in operations.values():
            _finish(operation)
            _guard(operation, roles[operation["operationId"]], needs_key=not doorkeeper.reading_without_key)
    return document


def _roles(app: FastAPI) -> dict[str, Role | None]:
    """Return the role that each operation needs, None where it is open."""
    routes = (each.original_route for each in iter_route_contexts(app.routes))
    return {str(route.operation_id): role_of(route.dependant) for route in routes if isinstance(route, APIRoute)}


def _guard(operation: dict[str, Any], role: Role | None, *, needs_key: bool) -> None:
    """Say which role an operation needs, and how it refuses others."""
    if role is None:
        operation["security"] = []
        return
    is_optional = role is Role.VIEWER and not needs_key
    operation["x-required-role"] = role.value
    operation["security"] = [{SCHEME: []}, *([{}] if is_optional else [])]
    refusals = {**KEY_REQUIRED, **TOO_MANY} if role is Role.VIEWER else {**KEY_REQUIRED, **ROLE_REQUIRED, **TOO_MANY}
    for status, response in refusals.items():
        operation["responses"].setdefault(str(status), response)


def _add_problem_schema(schemas: dict[str, Any]) -> None:
    schema = ProblemView.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas["ProblemView"] = schema


def _finish(operation: dict[str, Any]) -> None:
    """Replace FastAPI's own form of a validation error, which we never send, and add the example."""
    responses = operation["responses"]
    fallback = responses.get("422", {}).get("content", {}).get("application/json")
    if fallback is not None:
        responses["422"] = WRONG_PARAMETERS[422]
    if "202" in responses:
        responses["202"]["description"] = "On its way to the engine: `Location` is where to ask what becomes of it"
    example = example_of(operation["operationId"])
    if example is None:
        return
    for status in responses.keys() & {"200", "201", "202"}:
        for content in responses[status]["content"].values():
            content["example"] = example


def example_of(operation_id: str) -> Any:  # noqa: ANN401 - JSON
    """Return the example of an operation, taken from a real run; none where there is none yet."""
    path = EXAMPLES / f"{operation_id}.json"
    if not path.exists():
        return None
    example: Mapping[str, Any] | str = json.loads(path.read_text(encoding="utf-8"))
    return example
