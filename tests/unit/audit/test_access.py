"""Every route says which role it needs, and lets nobody else in."""

import asyncio
import json
import re
import time
from http import HTTPStatus
from typing import Any

import httpx2
from fastapi.routing import APIRoute, iter_route_contexts

from services.audit.api.access import Role, role_of
from services.audit.api.access.keyring import USES_WRITTEN_EVERY_NS
from tests.support.audit_api import AuditApi

OPEN = {"getLive", "getReady", "getVersion", "getMetrics"}
"""What tells supervisors and monitoring that the service is there, and nothing of the trading."""


def routes(api: AuditApi) -> list[APIRoute]:
    found = [context.original_route for context in iter_route_contexts(api.app.routes)]
    return [route for route in found if isinstance(route, APIRoute) and route.include_in_schema]


async def ask(api: AuditApi, route: APIRoute, headers: dict[str, str]) -> httpx2.Response:
    path = re.sub(r"\{[^}]+\}", "1", route.path)
    (method,) = sorted(route.methods or ())
    return await api.client.request(method, path, headers=headers)


async def test_every_route_has_a_role_or_is_known_to_be_open(api: AuditApi) -> None:
    assert {str(route.operation_id) for route in routes(api) if role_of(route.dependant) is None} == OPEN
    for route in routes(api):
        (method,) = sorted(route.methods or ())
        if method != "GET":
            needed = role_of(route.dependant)
            assert needed is not None
            assert needed.includes(Role.OPERATOR), f"{method} {route.path} changes something for {needed}"


async def test_role_matrix(api: AuditApi) -> None:
    """Each route with no key, a wrong one, and a key of each role: 401, 401, then 403 up to the role it needs."""
    api.doorkeeper.reading_without_key = False
    wrong = {"Authorization": f"Bearer tb_00000000_{'A' * 43}"}
    keys = {role: api.key(role) for role in Role}
    for route in routes(api):
        needed = role_of(route.dependant)
        if needed is None:
            assert (await ask(api, route, {})).status_code not in {401, 403}, route.path
            continue
        api.bad_keys_clock += 10_000
        for headers, code in (({}, "key_required"), (wrong, "key_unknown")):
            answer = await ask(api, route, headers)
            assert (answer.status_code, answer.json()["code"]) == (401, code), route.path
            assert answer.headers["www-authenticate"] == 'Bearer realm="tradebus"'
        for role, headers in keys.items():
            answer = await ask(api, route, headers)
            if role.includes(needed):
                assert answer.status_code not in {401, 403}, (route.path, role, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "role_required"), (route.path, role)


async def test_without_a_key_one_may_read_and_nothing_else(api: AuditApi) -> None:
    for route in routes(api):
        answer = await ask(api, route, {})
        needed = role_of(route.dependant)
        if needed in {None, Role.VIEWER}:
            assert answer.status_code not in {401, 403}, route.path
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "key_required"), route.path


async def test_wrong_key_is_refused_even_where_none_is_needed(api: AuditApi) -> None:
    for shown in ("Bearer x", "Bearer", "Basic YTpi", "", f"Bearer tb_00000000_{'A' * 43}", "Bearer \xff"):
        answer = await api.client.get("/v1/trading", headers={b"Authorization": shown.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown"), shown
        api.bad_keys_clock += 10_000


async def test_document_names_the_role_of_every_operation(api: AuditApi) -> None:
    document = (await api.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    operations: dict[str, Any] = {
        operation["operationId"]: operation for methods in document["paths"].values() for operation in methods.values()
    }
    for route in routes(api):
        operation = operations[str(route.operation_id)]
        needed = role_of(route.dependant)
        assert operation.get("x-required-role") == (None if needed is None else needed.value)
        assert ({"key": []} in operation["security"]) is (needed is not None)
        assert ({} in operation["security"]) is (needed is Role.VIEWER)
        if needed is not None:
            assert {"401", "429"} <= set(operation["responses"])
        if needed not in {None, Role.VIEWER}:
            assert "403" in operation["responses"]


async def test_running_service_learns_of_new_and_revoked_keys(api: AuditApi) -> None:
    api.doorkeeper.reading_without_key = False
    made = api.keys.add("late", Role.VIEWER, time.time_ns())
    headers = {"Authorization": f"bearer {made.text}"}
    assert (await api.client.get("/v1/trading", headers=headers)).status_code == HTTPStatus.OK
    api.keys.revoke(made.key.id, time.time_ns())
    refused = await api.client.get("/v1/trading", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "key_revoked")
    short = api.keys.add("short", Role.VIEWER, 0, expires_ns=1)
    answer = await api.client.get("/v1/trading", headers={"Authorization": f"Bearer {short.text}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")


async def test_damaged_key_file_closes_the_door_until_it_is_mended(api: AuditApi) -> None:
    headers = api.key(Role.ADMIN)
    good = api.keys.path.read_bytes()
    assert (await api.client.get("/v1/trading", headers=headers)).status_code == HTTPStatus.OK
    api.keys.path.write_bytes(b"{")
    refused = await api.client.get("/v1/trading", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "keys_unreadable")
    assert "keys.json: expected a file of API keys" in api.key_trouble
    assert (await api.client.get("/v1/trading")).status_code == HTTPStatus.OK, "reading without a key goes on"
    api.keys.path.write_bytes(good)
    assert (await api.client.get("/v1/trading", headers=headers)).status_code == HTTPStatus.OK
    assert api.key_trouble == ""


async def test_last_use_is_kept_beside_the_keys(api: AuditApi) -> None:
    headers = api.key(Role.VIEWER)
    key_id = headers["Authorization"][10:18]
    begun = time.time_ns()
    await api.client.get("/v1/trading", headers=headers)
    kept = json.loads((api.keys.path.parent / "keys-used.json").read_text())
    assert begun <= kept[key_id] <= time.time_ns()
    await api.client.get("/v1/trading", headers=headers)
    assert json.loads((api.keys.path.parent / "keys-used.json").read_text()) == kept, "not written at every request"
    assert USES_WRITTEN_EVERY_NS == 60_000_000_000
    api.doorkeeper.keyring.close()
    assert api.keys.last_uses()[key_id] > kept[key_id]


async def test_bad_keys_wait_longer_and_longer_and_good_ones_do_not(api: AuditApi) -> None:
    good, bad = api.key(Role.VIEWER), {"Authorization": f"Bearer tb_00000000_{'A' * 43}"}
    waits: list[int] = []
    for _ in range(9):
        answer = await api.client.get("/v1/trading", headers=bad)
        waits.append(int(answer.headers.get("retry-after", 0)))
        assert answer.json()["code"] == ("too_many_bad_keys" if waits[-1] else "key_unknown")
        assert answer.status_code == (429 if waits[-1] else 401)
        api.bad_keys_clock += waits[-1]
    assert waits == [0, 0, 0, 0, 0, 2, 4, 8, 16]
    answers = await asyncio.gather(*(api.client.get("/v1/trading", headers=good) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
