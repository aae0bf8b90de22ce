"""The API describes itself completely: every operation with words, a real example, and its problems."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, get_args

import pytest
from fastapi.openapi.models import OpenAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from services.audit.api.app import RESOURCES
from services.audit.api.documents import EXAMPLES, TAGS, example_of
from services.audit.api.envelope import Envelope
from services.audit.api.problems import MEDIA_TYPE, ProblemView
from services.audit.api.views import values
from services.audit.api.views.projections import FillView
from services.audit.api.views.streams import SnapshotView
from services.audit.api.views.ticks import AuditTickView
from tests.support.audit_api import AuditApi
from tests.support.openapi_file import OPENAPI_FILE
from tradebus.core.engine.audit.tick import Origin
from tradebus.core.engine.error import EngineErrorKind
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.account import Liquidity
from tradebus.core.model.instrument import InstrumentKind, OptionExercise, OptionKind, QuantityUnit, QuoteKind
from tradebus.core.model.order import OrderErrorKind, OrderKind, TimeInForce
from tradebus.core.model.side import Side
from tradebus.wire.pb.v1 import account_pb2, engine_pb2, instrument_pb2, order_pb2, output_pb2

ROUTES = [route for resource in RESOURCES for route in resource.router.routes if isinstance(route, APIRoute)]
OPERATIONS = [str(route.operation_id) for route in ROUTES]


@pytest.fixture
async def document(api: AuditApi) -> dict[str, Any]:
    body = (await api.get("/openapi.json")).json()
    assert isinstance(body, dict)
    return body


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


async def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Tradebus"


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert found
    assert found <= set(document["components"]["schemas"])


async def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    seen: list[str] = []
    tags = {name for name, _ in TAGS}
    for where, operation in operations(document):
        seen.append(operation["operationId"])
        assert operation["summary"], where
        assert operation["description"], where
        assert len(operation["tags"]) == 1, where
        assert set(operation["tags"]) <= tags, where
        for parameter in operation.get("parameters", ()):
            assert parameter["name"], where
            assert parameter["description"], (where, parameter["name"])
    assert sorted(seen) == sorted(OPERATIONS)
    assert len(set(seen)) == len(seen)


async def test_every_answer_has_an_example(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                if media_type == MEDIA_TYPE or status == "200":
                    assert "example" in content, (where, status)


@pytest.mark.parametrize("route", ROUTES, ids=OPERATIONS)
def test_example_is_what_the_operation_really_answers(route: APIRoute) -> None:
    """It goes through the response model and comes out the same, so it has every field and no other."""
    example = example_of(str(route.operation_id))
    assert example is not None
    model = route.response_model
    if route.operation_id == "getState":
        model = get_args(model)[0]  # the whole; the other is what is left of it where some fields were asked for
    if isinstance(model, type) and issubclass(model, BaseModel):
        assert json.loads(model.model_validate(example).model_dump_json()) == example
    elif route.operation_id == "getStatus":
        TypeAdapter(model).validate_python(example)
        assert {"sequence", "time_ns", "hash", "verification", "events", "orders", "fills"} <= set(example["data"])
    elif route.operation_id == "exportAudit":
        (line,) = example.splitlines()
        assert json.loads(AuditTickView.model_validate_json(line).model_dump_json()) == json.loads(line)
    elif route.operation_id == "streamEvents":
        retry, snapshot, *trades, end = example.split("\n\n")
        assert (retry, end) == ("retry: 1000", "")
        _, name, data = snapshot.split("\n")
        assert name == "event: snapshot"
        Envelope[SnapshotView].model_validate_json(data.removeprefix("data: "))
        for trade in trades:
            _, name, data = trade.split("\n")
            assert name == "event: trade"
            FillView.model_validate(json.loads(data.removeprefix("data: "))["data"])
    else:
        assert "tradebus_replica_sequence" in example


def test_there_is_no_example_of_nothing() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(OPERATIONS)


async def test_problems_in_the_document_are_problems(document: dict[str, Any]) -> None:
    codes: set[str] = set()
    for where, operation in operations(document):
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get(MEDIA_TYPE)
            if content is None:
                continue
            problem = ProblemView.model_validate(content["example"])
            assert problem.status == int(status), where
            codes.add(problem.code)
    assert codes == {
        "key_required",
        "role_required",
        "idempotency_conflict",
        "confirmation_required",
        "not_sent",
        "unknown_command",
        "too_many_requests",
        "unknown_key",
        "keys_unreadable",
        "too_many_streams",
        "invalid_parameters",
        "replica_behind",
        "unknown_instrument",
        "no_such_tick",
        "not_archived",
        "pruned",
    }


async def test_every_read_of_the_replica_declares_how_it_can_fail(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        if where == "GET /v1/stream":
            assert {"200", "401", "422", "429", "503"} <= set(operation["responses"])
        elif where.startswith("GET /v1/") and where != "GET /v1/keys":
            assert {"200", "304", "401", "422", "503"} <= set(operation["responses"]), where
        elif "/v1/commands" in where:
            assert {"200", "202", "401", "403", "409", "422", "428", "429", "503"} <= set(operation["responses"]), where


async def test_decimals_and_times_are_formatted_text_in_the_schema(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["FillView"]["properties"]
    assert (schema["price"]["type"], schema["price"]["format"]) == ("string", "decimal")
    assert (schema["time_engine"]["type"], schema["time_engine"]["format"]) == ("string", "date-time")
    assert schema["side"]["enum"] == ["buy", "sell"]
    assert set(document["components"]["schemas"]["FillView"]["required"]) == set(schema)


@pytest.mark.parametrize(
    ("kind", "contract"),
    [
        (Side, order_pb2.Side),
        (OrderKind, order_pb2.OrderKind),
        (TimeInForce, order_pb2.TimeInForce),
        (OrderErrorKind, order_pb2.OrderErrorKind),
        (TradingState, engine_pb2.TradingState),
        (AccountLink, engine_pb2.AccountLink),
        (EngineErrorKind, engine_pb2.EngineErrorKind),
        (Origin, output_pb2.Origin),
        (Liquidity, account_pb2.Liquidity),
        (InstrumentKind, instrument_pb2.InstrumentKind),
        (QuoteKind, instrument_pb2.QuoteKind),
        (OptionKind, instrument_pb2.OptionKind),
        (OptionExercise, instrument_pb2.OptionExercise),
        (QuantityUnit, instrument_pb2.QuantityUnit),
    ],
)
def test_enums_are_spelt_as_in_the_contract(kind: Any, contract: Any) -> None:
    """The contract's names without the prefix that protobuf wants, in lower case."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", contract.DESCRIPTOR.name).upper() + "_"
    spelt = {name.removeprefix(prefix).lower() for name in contract.keys() if not name.endswith("_UNSPECIFIED")}  # noqa: SIM118 - no dict
    assert {values.enum_text(member) for member in kind} == spelt


async def test_api_page_works_without_anything_from_elsewhere(api: AuditApi) -> None:
    page = await api.get("/docs")
    assert page.status_code == HTTPStatus.OK
    assert re.findall(r"(?:https?:)?//[a-z]", page.text) == []
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        file = await api.get(address)
        assert file.status_code == HTTPStatus.OK, address
        assert len(file.content) > 1_000
    assert "'/openapi.json'" in page.text


async def test_api_page_runs_its_own_script_and_no_other(api: AuditApi) -> None:
    page = await api.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


async def test_root_leads_to_the_api_page(api: AuditApi) -> None:
    response = await api.get("/")
    assert response.status_code == HTTPStatus.TEMPORARY_REDIRECT
    assert response.headers["location"] == "/docs"


async def test_committed_document_is_the_apis(document: dict[str, Any]) -> None:
    """A change of the API shows as a change of this file, and so in every review: fields that went, above all."""
    stored = json.loads(OPENAPI_FILE.read_text(encoding="utf-8"))
    gone = [where for where in _places(stored) if where not in set(_places(document))]
    assert gone == [], "what clients may rely on is no longer there"
    assert stored == document, "write it anew: python -m tests.support.openapi_file"


def _places(document: dict[str, Any]) -> list[str]:
    """Return every operation, parameter and field of a document."""
    found: list[str] = []
    for where, operation in operations(document):
        found += [where, *(f"{where} {each['in']} {each['name']}" for each in operation.get("parameters", ()))]
    for name, schema in document["components"]["schemas"].items():
        found += [f"{name}.{field}" for field in schema.get("properties", ())]
    return found
