"""Write the examples of the API's document from a run of the real engine: ``python -m tests.support.audit_examples``.

Long lists are cut to their first rows. What the process says of itself (version, metrics) may differ from machine to
machine; nothing else changes while engine and views do not.
"""

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.audit.api.access import Role
from services.audit.api.documents import EXAMPLES
from services.audit.api.stream import sse
from services.audit.api.stream.event import Topic
from services.audit.api.stream.limits import LIMITS
from services.audit.api.stream.selection import Selection
from services.audit.status import audit_status
from services.runtime import Json
from tests.support.audit_api import STREAM, AuditApi, new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.past import LocalPast, archive_run

ROWS_MAX = 2
STARTED_NS = 1_790_000_000_000_000_000


def cut(value: Any) -> Any:
    """Return JSON with lists cut to their first rows; the life of an order stays whole."""
    if isinstance(value, list):
        return [cut(item) for item in value[:ROWS_MAX]]
    if isinstance(value, dict):
        return {key: item if key == "steps" else cut(item) for key, item in value.items()}
    return value


def paths(run: EngineRun, cid: str) -> dict[str, str]:
    """Return what to ask for each operation."""
    decided = next(tick.sequence for tick in run.ticks if tick.outputs)
    return {
        "getState": "/v1/state",
        "getStateDiff": f"/v1/state/diff?from={decided - 1}&to={decided}",
        "getTrading": "/v1/trading",
        "getConnectivity": "/v1/connectivity",
        "getExchangeConnectivity": "/v1/connectivity/sim_alpha",
        "listAssets": "/v1/assets",
        "getAsset": "/v1/assets/sim_alpha/usdt",
        "listInstruments": "/v1/instruments",
        "getInstrument": "/v1/instruments/sim_alpha-btc_usdt",
        "listPositions": "/v1/positions",
        "listExitedPositions": "/v1/positions/exited?limit=2",
        "listOrders": "/v1/orders?limit=2",
        "getOrder": f"/v1/orders/{cid}",
        "listOrderEvents": f"/v1/orders/{cid}/events",
        "getOrderWhy": f"/v1/orders/{cid}/why",
        "getStatistics": "/v1/statistics",
        "listEquity": "/v1/statistics/equity",
        "getInstrumentStatistics": "/v1/statistics/instruments/sim_alpha-btc_usdt?interval=daily",
        "getAssetStatistics": "/v1/statistics/assets/usdt",
        "listTrades": "/v1/trades?limit=2",
        "listAudit": f"/v1/audit?from={decided}&limit=2",
        "getAuditTick": f"/v1/audit/{decided}",
        "getAuditBounds": "/v1/audit/bounds",
        "listAuditGaps": "/v1/audit/gaps",
        "getAuditState": f"/v1/audit/{decided}/state",
        "getLive": "/health/live",
        "getReady": "/health/ready",
        "getVersion": "/version",
        "getMetrics": "/metrics",
    }


def status_of(api: AuditApi) -> dict[str, Json]:
    """Return what the runtime says around the service's own figures."""
    return {
        "service": "audit",
        "instance": "audit-1",
        "mode": "demo",
        "state": "ready",
        "reasons": {},
        "pid": 4711,
        "started_ns": STARTED_NS,
        "positions": [],
        "leases": [],
        "data": audit_status(api.fold, STREAM, is_caught_up=True),
    }


async def write_examples() -> None:
    """Ask every operation and keep the answers."""
    run = EngineRun(events=500, is_ended=False)
    with TemporaryDirectory() as folder:
        archive_run(Path(folder), messages_of(run.batches()), checkpoint_every=40)
        answers = await _answers(run, Path(folder))
    EXAMPLES.mkdir(exist_ok=True)
    for operation, answer in answers.items():
        text = json.dumps(cut(answer), indent=1, ensure_ascii=False)
        (EXAMPLES / f"{operation}.json").write_text(f"{text}\n", encoding="utf-8")


async def _answers(run: EngineRun, folder: Path) -> dict[str, Any]:
    async with AuditApi(new_fold(), reads=LocalPast(folder)) as api:
        await api.feed(run.batches())
        api.metrics.sequence.set(api.fold.sequence)
        api.metrics.checks.labels("equal").inc(api.fold.verification.equal)
        orders = await api.data("/v1/orders?status=fully_filled&strategy=ema&limit=1")
        answers: dict[str, Any] = {"getStatus": status_of(api)}
        for operation, path in paths(run, orders[0]["cid"]).items():
            response = await api.get(path)
            assert response.status_code == 200, (operation, response.text)
            is_json = response.headers["content-type"].startswith("application/json")
            answers[operation] = response.json() if is_json else _some_metrics(response.text)
        lines = await api.client.get("/v1/audit/export?from=1&to=1", headers=api.key(Role.OPERATOR, "bob"))
        assert lines.status_code == HTTPStatus.OK, lines.text
        answers["exportAudit"] = lines.text
        answers |= await _commands(api)
        answers |= await key_answers(api)
    answers["streamEvents"] = await stream_text(run)
    return answers


async def _commands(api: AuditApi) -> dict[str, Any]:
    """Send a command of each kind and return the answers, then what became of the first as the journal would say."""
    everything = {"type": "all_instruments"}
    order = {"instrument": "sim_alpha-btc_usdt", "side": "buy", "quantity": "0.01", "price": "59000"}
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "setTradingState": ("trading-state", {"state": "disabled"}),
        "openOrders": ("open-orders", {"orders": [order]}),
        "cancelOrders": ("cancel-orders", {"filter": everything}),
        "closePositions": ("close-positions", {"filter": everything}),
        "shutdown": ("shutdown", {}),
    }
    key = api.key(Role.ADMIN, "alice")
    answers: dict[str, Any] = {}
    for operation, (path, body) in bodies.items():
        headers = {"Idempotency-Key": operation, **key}
        response = await api.client.post(f"/v1/commands/{path}", json=body, headers=headers)
        assert response.status_code == HTTPStatus.ACCEPTED, (operation, response.text)
        answers[operation] = response.json()
    taken = answers["setTradingState"]["data"]
    response = await api.client.get(f"/v1/commands/{taken['id']}", headers=key)
    answers["getCommand"] = response.json()
    return answers


async def key_answers(api: AuditApi) -> dict[str, Any]:
    """Make a key, list all, revoke it; the secret of the example is none."""
    admin = api.key(Role.ADMIN, "alice")
    made = await api.client.post("/v1/keys", json={"name": "dashboard", "role": "viewer", "days": 90}, headers=admin)
    assert made.status_code == HTTPStatus.CREATED, made.text
    created = made.json()
    created["data"]["key"] = f"tb_{created['data']['id']}_{'x' * 43}"
    listed = await api.client.get("/v1/keys", headers=admin)
    revoked = await api.client.delete(f"/v1/keys/{created['data']['id']}", headers=admin)
    return {"createKey": created, "listKeys": listed.json(), "revokeKey": revoked.json()}


async def stream_text(run: EngineRun) -> str:
    """Return the begin of a stream of fills, as it is sent."""
    batches = run.batches()
    begun = next(at for at, batch in enumerate(batches) if batch.first > len(run.ticks) // 2)
    async with AuditApi(new_fold(), LIMITS) as api:
        await api.feed(batches[:begun])
        reader = api.hub.enter()
        api.hub.begin(reader, Selection(frozenset({Topic.TRADING, Topic.TRADE})))
        await api.feed(batches[begun:])
        snapshot, *changes = [*api.hub.take(reader), *api.hub.take(reader)]
        suffix = api.hub.id_suffix.encode()
        return (
            sse.begin() + b"".join(sse.frame(message, suffix) for message in (snapshot, *changes[:ROWS_MAX]))
        ).decode()


def _some_metrics(text: str) -> str:
    lines = [line for line in text.splitlines() if "tradebus_replica_sequence" in line or "hash_checks_total" in line]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    asyncio.run(write_examples())
