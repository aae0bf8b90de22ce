"""What a request passes before the routes: rates, sizes, HEAD, and the log of who was refused."""

import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from services.audit.api.access import Role
from services.audit.api.access.log import FILE_BYTES_MAX, FILES_KEPT, AccessLog
from services.audit.api.access.rates import CALLERS_MAX, Rates
from tests.support.audit_api import BODY_BYTES_MAX, AuditApi

SWITCH = "/v1/commands/trading-state"


def logged(api: AuditApi) -> list[dict[str, Any]]:
    path = api.keys.path.with_name("access.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_denied_commands_are_logged_with_who_what_and_why(api: AuditApi) -> None:
    viewer = api.key(Role.VIEWER, "dashboard")
    await api.client.post(SWITCH, json={"state": "disabled"})
    await api.client.post(SWITCH, json={"state": "disabled"}, headers=viewer)
    await api.client.post("/v1/commands/shutdown", headers=api.key(Role.OPERATOR, "bob"))
    await api.client.delete("/v1/keys/x", headers={"Authorization": "Bearer nonsense"})
    await api.client.get("/v1/state")
    found = [(entry["kind"], entry["who"], entry["role"], entry["what"], entry["code"]) for entry in logged(api)]
    assert found == [
        ("denied", "anonymous", "viewer", f"POST {SWITCH}", "key_required"),
        ("denied", "dashboard", "viewer", f"POST {SWITCH}", "role_required"),
        ("denied", "bob", "operator", "POST /v1/commands/shutdown", "role_required"),
        ("denied", None, None, "DELETE /v1/keys/x", "key_unknown"),
    ]
    assert all(entry["address"] == "127.0.0.1" and entry["time_ns"] > 0 and entry["why"] for entry in logged(api))
    assert "nonsense" not in json.dumps(logged(api))


async def test_reading_that_needs_a_key_is_not_logged_but_bad_keys_are(api: AuditApi) -> None:
    api.doorkeeper.reading_without_key = False
    await api.get("/v1/state")
    assert logged(api) == []
    await api.get("/v1/state", Authorization="Bearer x")
    assert [entry["code"] for entry in logged(api)] == ["key_unknown"]


def test_access_log_is_bounded(tmp_path: Any) -> None:
    class Silent:
        def info(self, *_: object, **__: object) -> None: ...
        def warning(self, *_: object, **__: object) -> None: ...

    from services.audit.api.access.caller import AccessDenied, Denial  # noqa: PLC0415

    log = AccessLog(tmp_path / "access.jsonl", Silent())  # type: ignore[arg-type]
    denied = AccessDenied(Denial.KEY_REQUIRED, "x" * 60_000)
    for number in range(420):
        log.denied(denied, None, "127.0.0.1", f"POST /{number}")
    files = sorted(tmp_path.iterdir())
    assert len(files) == FILES_KEPT + 1
    assert all(file.stat().st_size <= FILE_BYTES_MAX for file in files)
    last = (tmp_path / "access.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["what"] == "POST /419"


async def test_who_asks_too_often_waits_and_others_do_not(api: AuditApi) -> None:
    api.rates._buckets.clear()
    object.__setattr__(api.rates, "per_s", 5)
    alice = api.key(Role.VIEWER, "alice")
    for _ in range(10):
        assert (await api.client.get("/v1/trading", headers=alice)).status_code == HTTPStatus.OK
    refused = await api.client.get("/v1/trading", headers=alice)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "1"
    assert "5 requests a second from alice" in refused.json()["detail"]
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert (await api.client.get("/v1/trading", headers=api.key(Role.VIEWER, "bob"))).status_code == HTTPStatus.OK
    assert (await api.client.get("/v1/trading")).status_code == HTTPStatus.OK
    assert (await api.client.get("/health/ready", headers=alice)).status_code == HTTPStatus.OK
    api.rates_clock += 1.0
    answers = [(await api.client.get("/v1/trading", headers=alice)).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_callers_are_forgotten_in_the_end() -> None:
    rates = Rates(1, lambda: 0.0)
    for number in range(CALLERS_MAX + 5):
        rates.take(str(number))
    assert len(rates._buckets) == CALLERS_MAX


@pytest.mark.parametrize("told", [True, False])
async def test_large_bodies_are_refused_whether_told_or_not(api: AuditApi, told: bool) -> None:
    body = json.dumps({"state": "disabled", "reason": "x" * BODY_BYTES_MAX}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    headers = {"Content-Type": "application/json", "Idempotency-Key": "1", **api.key(Role.OPERATOR)}
    answer = await api.client.post(SWITCH, content=body if told else pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_long_addresses_are_refused(api: AuditApi) -> None:
    answer = await api.get(f"/v1/state?x={'a' * 9_000}")
    assert (answer.status_code, answer.json()["code"]) == (414, "url_too_long")
    assert len(answer.content) < 1_000


@pytest.mark.parametrize("path", ["/v1/state", "/v1/nothing", "/health/ready", "/docs"])
async def test_head_is_answered_like_get_without_the_body(api: AuditApi, path: str) -> None:
    got, head = await api.get(path), await api.client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers.get("etag") == got.headers.get("etag")


async def test_no_other_origin_is_let_in(api: AuditApi) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for answer in (await api.get("/v1/state", **asked), await api.client.options(SWITCH, headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_keys_are_made_listed_and_revoked_over_the_api(api: AuditApi) -> None:
    admin = api.key(Role.ADMIN, "root")
    made = await api.client.post("/v1/keys", json={"name": "bob", "role": "operator", "days": 1}, headers=admin)
    assert made.status_code == HTTPStatus.CREATED
    key = made.json()["data"]
    assert (key["name"], key["role"], key["revoked"]) == ("bob", "operator", None)
    bob = {"Authorization": f"Bearer {key['key']}"}
    assert (await api.client.get("/v1/trading", headers=bob)).status_code == HTTPStatus.OK
    listed = await api.client.get("/v1/keys", headers=admin)
    assert [(row["name"], row["last_used"] is None) for row in listed.json()["data"]] == [
        ("root", False),
        ("bob", False),
    ]
    assert key["key"] not in listed.text
    gone = await api.client.delete(f"/v1/keys/{key['id']}", headers=admin)
    assert gone.json()["data"]["revoked"]
    assert (await api.client.get("/v1/trading", headers=bob)).json()["code"] == "key_revoked"
    assert (await api.client.delete("/v1/keys/00000000", headers=admin)).json()["code"] == "unknown_key"
    for body in ({}, {"name": "a"}, {"name": "a", "role": "owner"}, {"name": "\n", "role": "viewer"}, {"x": 1}):
        wrong = await api.client.post("/v1/keys", json=body, headers=admin)
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_parameters")
    assert [entry["what"].split(" key")[0] for entry in logged(api) if entry["kind"] == "keys"] == [
        "made the",
        "revoked the",
    ]
