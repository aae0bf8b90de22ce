"""Each resource answers with what the engine has, in the envelope, or with a problem that says what is wrong."""

from http import HTTPStatus
from typing import Any

import pytest

from services.runtime import HealthReport
from services.runtime.lifecycle import State
from tests.support.audit_api import STREAM, AuditApi, new_fold
from tests.support.audit_run import START_NS, EngineRun, Hashed, batches_of
from tests.support.builders import engine_started, public_trade, spot_definition
from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, FeedEnded, TradeReceived
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.number import decimal_text
from tradebus.core.risk.interface import RiskManager

PATHS = (
    "/v1/state",
    "/v1/trading",
    "/v1/connectivity",
    "/v1/connectivity/sim_alpha",
    "/v1/assets",
    "/v1/assets/sim_alpha/usdt",
    "/v1/instruments",
    "/v1/instruments/sim_alpha-btc_usdt",
    "/v1/positions",
    "/v1/positions/exited",
    "/v1/orders",
    "/v1/trades",
    "/v1/audit",
    "/v1/audit/0",
)


def fills_of(run: EngineRun) -> list[AuditTick]:
    return [
        tick
        for tick in run.ticks
        if isinstance(tick.event, AccountEvent) and isinstance(tick.event.data, TradeReceived)
    ]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_is_of_one_sequence_and_verified(api: AuditApi, run: EngineRun, path: str) -> None:
    body = await api.envelope(path)
    assert body["sequence"] == run.engine.sequence - 1
    assert body["mode"] == "demo"
    assert body["time_engine"].endswith("Z")
    assert len(body["time_engine"]) == len("2026-09-21T14:13:20.000000000Z")
    assert body["verification"] == {
        "equal": True,
        "sequence": run.engine.sequence - 1,
        "core": "equal",
        "user": "equal",
        "reason": None,
    }


@pytest.mark.parametrize("path", PATHS)
async def test_tag_of_the_answer_gives_304_until_something_happens(path: str) -> None:
    batches = EngineRun(events=30, is_ended=False).batches()
    async with AuditApi(new_fold()) as api:
        await api.feed(batches[:-1])
        first = await api.get(path)
        assert first.status_code == HTTPStatus.OK
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"
        for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await api.get(path, **{"If-None-Match": given})
            assert again.status_code == HTTPStatus.NOT_MODIFIED
            assert again.content == b""
            assert again.headers["etag"] == tag
        await api.feed(batches[-1:])
        later = await api.get(path, **{"If-None-Match": tag})
        assert later.status_code == HTTPStatus.OK
        assert later.headers["etag"] != tag


async def test_state_is_the_engines(trading_api: AuditApi, trading_run: EngineRun) -> None:
    data = await trading_api.data("/v1/state")
    state = trading_run.engine.state
    assert data["trading"] == "enabled"
    assert [each["name"] for each in data["exchanges"]] == ["sim_alpha", "sim_beta"]
    for shown, asset in zip(data["assets"], state.assets, strict=True):
        assert asset.balance is not None
        assert shown["balance"]["total"] == decimal_text(asset.balance.total)
        assert shown["balance"]["used"] == decimal_text(asset.balance.used)
    for shown, instrument in zip(data["instruments"], state.instruments, strict=True):
        assert [order["cid"] for order in shown["orders"]] == list(instrument.orders)
        assert (shown["position"] is None) == (instrument.position is None)
        assert shown["pnl_realised"] == decimal_text(instrument.pnl_realised())
        assert shown["pnl_unrealised"] == decimal_text(instrument.pnl_unrealised())
        price = instrument.price_mark()
        assert price is not None
        assert shown["price_mark"] == decimal_text(price)
    assert [each["id"] for each in data["strategies"]] == ["ema", "quoter"]


async def test_trading_says_who_switched_it_and_when(api: AuditApi, run: EngineRun) -> None:
    data = await api.data("/v1/trading")
    ended = next(tick for tick in run.ticks if type(tick.event).__name__ == "TradingStateUpdate")
    assert data["state"] == "disabled"
    assert data["changed"]["origin"] == "feed end"
    assert data["changed"]["sequence"] == ended.sequence
    assert data["strategies_failed"] == []


async def test_connectivity_gives_health_age_and_counts(api: AuditApi, run: EngineRun) -> None:
    data = await api.data("/v1/connectivity")
    assert data["health"] == "healthy"
    alpha = data["exchanges"][0]
    assert alpha == await api.data("/v1/connectivity/SIM_ALPHA")
    assert alpha["is_healthy"] is True
    assert alpha["account"]["name"] == "alpha-paper"
    last = max(tick.time_ns for tick in run.ticks if getattr(tick.event, "sequence", 0) and tick.event.exchange == 0)  # type: ignore[attr-defined]
    assert alpha["market_data"]["age_ms"] == (run.engine.time_ns - last) // 1_000_000
    assert alpha["market_data"]["reconnects"] == 0


async def test_instrument_and_asset_are_found_by_name_in_any_case(api: AuditApi) -> None:
    everything = await api.data("/v1/instruments")
    assert await api.data("/v1/instruments/SIM_BETA-BTC_USDT") == everything[2]
    assets = await api.data("/v1/assets")
    assert await api.data("/v1/assets/sim_beta/USDT") == assets[4]


async def test_open_positions_carry_their_value(trading_api: AuditApi, trading_run: EngineRun) -> None:
    held = [each for each in trading_run.engine.state.instruments if each.position is not None]
    data = await trading_api.data("/v1/positions")
    assert [each["instrument"] for each in data] == [each.instrument.name for each in held]
    for shown, state in zip(data, held, strict=True):
        assert shown["pnl_unrealised"] == decimal_text(state.pnl_unrealised())
        assert shown["exchange"] == shown["instrument"].split("-")[0]


async def pages(api: AuditApi, path: str) -> list[list[dict[str, Any]]]:
    """Return all pages of a list, following the cursor."""
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        body = await api.envelope(f"{path}{cursor}")
        found.append(body["data"])
        if body["page"]["next"] is None:
            return found
        cursor = f"&cursor={body['page']['next']}"


async def test_trades_are_the_fills_of_the_run_newest_first(api: AuditApi, run: EngineRun) -> None:
    expected = [tick.sequence for tick in fills_of(run)]
    found = await pages(api, "/v1/trades?limit=7")
    assert {len(page) for page in found[:-1]} == {7}
    assert [row["sequence"] for page in found for row in page] == expected[::-1]
    oldest = await pages(api, "/v1/trades?limit=50&order=oldest")
    assert [row["sequence"] for page in oldest for row in page] == expected
    row = oldest[0][0]
    event = fills_of(run)[0].event
    assert isinstance(event, AccountEvent)
    assert isinstance(event.data, TradeReceived)
    trade = event.data.trade
    assert (row["id"], row["cid"], row["price"]) == (trade.id, trade.cid, decimal_text(trade.price))
    assert row["value_quote"] == decimal_text(trade.value_quote)


async def test_page_that_ends_exactly_at_the_last_row_has_no_next(api: AuditApi, run: EngineRun) -> None:
    count = len(fills_of(run))
    assert (await api.envelope(f"/v1/trades?limit={count}"))["page"] == {"next": None, "kept": count, "dropped": 0}
    assert (await api.envelope(f"/v1/trades?limit={count - 1}"))["page"]["next"] is not None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("exchange=sim_beta", {"exchange": "sim_beta"}),
        ("instrument=sim_alpha-btc_usdt", {"instrument": "sim_alpha-btc_usdt"}),
        ("strategy=quoter", {"strategy": "quoter"}),
        ("strategy=quoter&exchange=sim_alpha", {"strategy": "quoter", "exchange": "sim_alpha"}),
    ],
)
async def test_filters_select_and_pages_of_them_are_complete(
    api: AuditApi, query: str, expected: dict[str, str]
) -> None:
    everything = [row for page in await pages(api, "/v1/trades?limit=1000") for row in page]
    selected = [row for row in everything if expected.items() <= row.items()]
    assert 0 < len(selected) < len(everything)
    assert [row for page in await pages(api, f"/v1/trades?limit=9&{query}") for row in page] == selected


async def test_exited_positions_are_those_the_engine_closed(api: AuditApi, run: EngineRun) -> None:
    rows = [row for page in await pages(api, "/v1/positions/exited?limit=4") for row in page]
    exits = run.engine.state.instruments
    assert len(rows) == sum(each.exits.count for each in exits)
    assert [row["sequence"] for row in rows] == sorted((row["sequence"] for row in rows), reverse=True)
    btc = await pages(api, "/v1/positions/exited?limit=4&instrument=sim_alpha-btc_usdt")
    assert sum(len(page) for page in btc) == exits[0].exits.count


async def test_orders_are_listed_with_where_they_stand(trading_api: AuditApi, trading_run: EngineRun) -> None:
    active = [row["cid"] for page in await pages(trading_api, "/v1/orders?status=active&limit=1") for row in page]
    in_state = {str(cid) for each in trading_run.engine.state.instruments for cid in each.orders}
    assert set(active) == in_state
    finished = [row for page in await pages(trading_api, "/v1/orders?status=finished&limit=30") for row in page]
    everything = [row for page in await pages(trading_api, "/v1/orders?limit=100") for row in page]
    assert len(everything) == len(active) + len(finished)
    assert {row["status"] for row in finished} <= {"cancelled", "fully_filled", "open_failed"}
    cancelled = [row for row in finished if row["status"] == "cancelled"]
    assert [row for page in await pages(trading_api, "/v1/orders?status=cancelled") for row in page] == cancelled
    oldest = [row for page in await pages(trading_api, "/v1/orders?limit=11&order=oldest") for row in page]
    assert oldest == everything[::-1]
    beta = [row for page in await pages(trading_api, "/v1/orders?exchange=sim_beta&strategy=quoter") for row in page]
    assert beta == [row for row in everything if row["exchange"] == "sim_beta"]


async def test_one_order_shows_everything_that_happened_to_it(api: AuditApi, run: EngineRun) -> None:
    filled = next(
        row for row in (await api.data("/v1/orders?status=fully_filled&order=oldest")) if row["strategy"] == "ema"
    )
    life = await api.data(f"/v1/orders/{filled['cid']}")
    assert {key: life[key] for key in filled} == filled
    kinds = [step["kind"] for step in life["steps"]]
    assert kinds[0] == "requested"
    assert "filled" in kinds
    assert life["steps"][0]["sequence"] == life["sequence_first"]
    for step in life["steps"]:
        tick = await api.data(f"/v1/audit/{step['sequence']}")
        assert filled["cid"] in str(tick)


async def test_unknown_names_get_near_ones(api: AuditApi) -> None:
    body = await api.problem("/v1/instruments/sim_alpha-btc_usd", 404, "unknown_instrument")
    assert body["near"][0] == "sim_alpha-btc_usdt"
    assert body["instance"] == "/v1/instruments/sim_alpha-btc_usd"
    assert (await api.problem("/v1/connectivity/sim_alpa", 404, "unknown_exchange"))["near"][0] == "sim_alpha"
    assert (await api.problem("/v1/assets/sim_alpha/usdc", 404, "unknown_asset"))["near"][0] == "usdt"
    await api.problem("/v1/assets/nowhere/usdt", 404, "unknown_exchange")
    assert "near" not in await api.problem("/v1/instruments/%00%ff", 404, "unknown_instrument")
    (order,) = await api.data("/v1/orders?limit=1")
    assert order["cid"] in (await api.problem(f"/v1/orders/{order['cid']}x", 404, "unknown_order"))["near"]


@pytest.mark.parametrize("path", PATHS)
async def test_unknown_parameters_are_refused_everywhere(api: AuditApi, path: str) -> None:
    body = await api.problem(f"{path}?frmo=3&verbose", 422, "invalid_parameters")
    assert [error["name"] for error in body["errors"]] == ["frmo", "verbose"]
    assert {error["where"] for error in body["errors"]} == {"query"}


async def test_all_that_is_wrong_with_parameters_is_told_at_once(api: AuditApi) -> None:
    body = await api.problem(
        "/v1/orders?limit=0&status=opened&limt=1&cursor=x&order=newest&order=oldest", 422, "invalid_parameters"
    )
    errors = {error["name"]: error for error in body["errors"]}
    assert set(errors) == {"limit", "status", "limt", "cursor", "order"}
    assert errors["limt"]["near"] == ["limit"]
    assert errors["order"]["expected"] == "at most one value"
    assert errors["limit"]["expected"] == "greater than or equal to 1"
    assert "'open_in_flight'" in errors["status"]["expected"]
    body = await api.problem("/v1/trades?instrument=sim_alpha-btc&exchange=x", 422, "invalid_parameters")
    assert [error["name"] for error in body["errors"]] == ["exchange", "instrument"]
    assert "sim_alpha-btc_usdt" in body["errors"][1]["near"]


async def test_paths_and_methods_that_are_not_there_are_problems_too(api: AuditApi) -> None:
    await api.problem("/v1/nothing", 404, "no_such_path")
    response = await api.client.post("/v1/state")
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert response.json()["code"] == "method_not_allowed"
    assert "GET" in response.headers["allow"]


async def test_audit_gives_any_range_in_order(api: AuditApi, run: EngineRun) -> None:
    last = len(run.ticks) - 1
    for query, first, count in (
        ("", last - 99, 100),
        ("?limit=3", last - 2, 3),
        ("?from=0&limit=5", 0, 5),
        ("?from=13&to=57", 13, 45),
        ("?from=7&to=400&limit=20", 7, 20),
        ("?to=9", 0, 10),
        (f"?from={last - 1}", last - 1, 2),
    ):
        body = await api.envelope(f"/v1/audit{query}")
        assert [tick["sequence"] for tick in body["data"]] == list(range(first, first + count)), query
        assert (body["page"]["oldest"], body["page"]["newest"]) == (0, last)


async def test_audit_can_be_walked_from_end_to_end(api: AuditApi, run: EngineRun) -> None:
    seen: list[int] = []
    following: int | None = 0
    while following is not None:
        body = await api.envelope(f"/v1/audit?from={following}&limit=170")
        seen += [tick["sequence"] for tick in body["data"]]
        following = body["page"]["next"]
    assert seen == list(range(len(run.ticks)))
    assert (await api.envelope("/v1/audit?from=3&to=9"))["page"]["next"] is None
    assert (await api.envelope("/v1/audit?from=3&to=9&limit=2"))["page"]["next"] == 5
    beyond = await api.envelope(f"/v1/audit?from={len(run.ticks) + 5}")
    assert (beyond["data"], beyond["page"]["next"]) == ([], None)


async def test_one_tick_shows_event_and_decision(api: AuditApi, run: EngineRun) -> None:
    wanted = next(tick for tick in run.ticks if tick.outputs)
    tick = await api.data(f"/v1/audit/{wanted.sequence}")
    assert tick["sequence"] == wanted.sequence
    assert tick["event"]["type"] == "market_event"
    assert tick["outputs"][0]["type"] == "requests_decided"
    assert tick["outputs"][0]["opens_sent"][0]["cid"].startswith(f"demoe1s{wanted.sequence}n")


async def test_ticks_that_are_not_there_are_told_apart(api: AuditApi, run: EngineRun) -> None:
    body = await api.problem(f"/v1/audit/{len(run.ticks)}", 404, "no_such_tick")
    assert body["sequence"] == len(run.ticks) - 1
    await api.problem("/v1/audit?from=9&to=8", 422, "invalid_parameters")
    await api.problem("/v1/audit/-1", 422, "invalid_parameters")
    await api.problem(f"/v1/audit/{2**63}", 422, "invalid_parameters")
    await api.problem("/v1/audit/newest", 422, "invalid_parameters")


async def test_pruned_ticks_are_gone(api: AuditApi, run: EngineRun) -> None:
    api.broker.prune(STREAM, 20)
    kept = run.batches()[19].first
    await api.problem("/v1/audit/0", 410, "pruned")
    await api.problem(f"/v1/audit?from={kept - 1}&limit=5", 410, "pruned")
    assert (await api.data(f"/v1/audit/{kept}"))["sequence"] == kept


async def test_journal_that_cannot_be_asked_is_503_and_the_state_is_served(api: AuditApi) -> None:
    api.broker.start_outage()
    await api.problem("/v1/audit/5", 503, "journal_unreadable")
    assert (await api.get("/v1/state")).status_code == HTTPStatus.OK


async def test_ticks_of_an_earlier_engine_keep_their_names(run: EngineRun) -> None:
    """An engine with other instruments goes on in the same journal: the old numbers still mean the old names."""
    index = index_instruments([spot_definition(ExchangeId.SIM_BETA, "sol")])
    started = engine_started(index=index, accounts=(), engine_id="demo")
    engine = Engine(started, [], RiskManager())
    offset = len(run.ticks)
    ticks = [
        engine.start(START_NS),
        engine.process(public_trade(150, time_ns=START_NS, trade_id="1"), START_NS),
        engine.process(FeedEnded(), START_NS),
    ]
    shifted = [Hashed(AuditTick(t.sequence + offset, t.time_ns, t.event, t.outputs, t.errors), None) for t in ticks]
    # One chain, in which the second engine's batches name its own index.
    first = run.batches()
    second = batches_of(shifted, started)
    async with AuditApi(new_fold()) as api:
        await api.feed(first)
        relinked = batches_of(shifted, started, chain=first[-1].chain)
        assert len(relinked) == len(second)
        await api.feed(relinked)
        assert api.fold.broken is None
        assert [each["name"] for each in await api.data("/v1/instruments")] == ["sim_beta-sol_usdt"]
        old = next(tick for tick in run.ticks if getattr(tick.event, "instrument", 0) == 2)
        assert (await api.data(f"/v1/audit/{old.sequence}"))["event"]["instrument"] == "sim_beta-btc_usdt"
        new = await api.data(f"/v1/audit/{offset + 1}")
        assert new["event"]["instrument"] == "sim_beta-sol_usdt"
        both = await api.data(f"/v1/audit?from={offset - 3}&to={offset + 2}")
        assert [tick["sequence"] for tick in both] == list(range(offset - 3, offset + 3))
        assert await api.data("/v1/trades") == []


async def test_nothing_is_read_before_there_is_a_state() -> None:
    async with AuditApi(new_fold()) as api:
        response = await api.get("/v1/state")
        assert response.headers["retry-after"] == "1"
        for path in PATHS:
            await api.problem(path, 503, "not_started")


async def test_replica_that_is_behind_says_how_far(api: AuditApi) -> None:
    api.lag = type(api.lag)(18_210, 40, 2_630)
    body = await api.problem("/v1/state", 503, "replica_behind")
    assert (body["lag_events"], body["lag_ms"]) == (18_210, 2_630)
    assert body["sequence"] == api.fold.sequence
    api.lag = type(api.lag)(18_210, 40, 1_999)
    assert (await api.get("/v1/state")).status_code == HTTPStatus.OK
    api.is_caught_up = False
    await api.problem("/v1/trades", 503, "replica_behind")


async def test_replica_that_disagrees_is_not_equal_in_every_answer(run: EngineRun) -> None:
    async with AuditApi(new_fold()) as api:
        batches = run.batches()
        await api.feed(batches[:40])
        exact_tag = (await api.get("/v1/state")).headers["etag"]
        api.fold.state.instruments[1].exits.count += 1
        await api.feed(batches[40:])
        for path in PATHS:
            verification = (await api.envelope(path))["verification"]
            assert verification["equal"] is False
            assert verification["core"] == "unequal"
            assert "is not the engine's at sequence" in verification["reason"]
        assert (await api.get("/v1/state")).headers["etag"].endswith('-inexact"')
        assert not exact_tag.endswith('-inexact"')


async def test_replica_that_stopped_at_a_damaged_batch_is_not_equal_and_says_why(run: EngineRun) -> None:
    async with AuditApi(new_fold()) as api:
        batches = run.batches()
        await api.feed(batches[:40])
        tag = (await api.get("/v1/state")).headers["etag"]
        payload = bytearray(batches[40].payload)
        payload[-1] ^= 1
        await api.bus.append("audit.demo", bytes(payload), headers=batches[40].headers)
        message = await api.bus.message(STREAM, 41)
        assert message is not None
        api.fold.take(message)
        again = await api.get("/v1/state", **{"If-None-Match": tag})
        assert again.status_code == HTTPStatus.OK, "the same sequence, but no longer the same answer"
        verification = again.json()["verification"]
        assert verification["equal"] is False
        assert verification["reason"].startswith(f"stopped at sequence {batches[39].last}: Tb-Crc32c")


async def test_reading_needs_a_key_where_the_switch_is_off(api: AuditApi) -> None:
    api.doorkeeper.reading_without_key = False
    response = await api.get("/v1/state")
    assert response.headers["www-authenticate"].startswith("Bearer")
    for path in PATHS:
        await api.problem(path, 401, "key_required")
    assert (await api.get("/health/ready")).status_code == HTTPStatus.OK


async def test_health_says_why_not_ready_and_how_far_behind(api: AuditApi) -> None:
    ready = await api.get("/health/ready")
    assert ready.status_code == HTTPStatus.OK
    assert ready.json()["ready"] is True
    assert ready.json()["replica"]["sequence"] == api.fold.sequence
    assert ready.json()["replica"]["time_stored"].startswith("2026-")
    api.report = HealthReport(State.DEGRADED, {"bus": "NATS is away"})
    api.lag = type(api.lag)(5, 2, 300)
    degraded = await api.get("/health/ready")
    assert degraded.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert degraded.json() == {
        "ready": False,
        "state": "degraded",
        "reasons": {"bus": "NATS is away"},
        "replica": {
            "sequence": api.fold.sequence,
            "is_started": True,
            "is_exact": True,
            "lag_events": 5,
            "lag_ms": 300,
            "time_stored": ready.json()["replica"]["time_stored"],
        },
    }
    assert (await api.get("/health/live")).status_code == HTTPStatus.OK
    api.report = HealthReport(State.STOPPED, {})
    assert (await api.get("/health/live")).status_code == HTTPStatus.SERVICE_UNAVAILABLE


async def test_version_status_and_metrics_answer(api: AuditApi) -> None:
    version = (await api.get("/version")).json()
    assert (version["service"], version["api"], version["hash_version"]) == ("audit", "v1", HASH_VERSION)
    assert version["core"] in {"compiled", "interpreted"}
    assert (await api.get("/status")).json()["data"] == {"sequence": api.fold.sequence}
    await api.get("/v1/instruments/nothing")
    metrics = (await api.get("/metrics")).text
    assert 'tradebus_api_request_seconds_count{route="/v1/instruments/{instrument}",status="404"} 1.0' in metrics
    assert "tradebus_replica_sequence" in metrics


async def test_our_own_mistake_is_told_without_details(api: AuditApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("services.audit.api.resources.trading.trading_view", fail)
    body = await api.problem("/v1/trading", 500, "internal_error")
    assert "secret" not in str(body)
    assert "Traceback" not in str(body)


@pytest.mark.parametrize("path", [*PATHS, "/health/ready", "/docs", "/nothing", "/docs/files/swagger-ui.css"])
async def test_every_answer_carries_the_headers_that_guard_a_browser(api: AuditApi, path: str) -> None:
    headers = (await api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


async def test_long_answers_are_compressed_for_who_can_read_that(api: AuditApi) -> None:
    response = await api.get("/v1/audit?limit=500", **{"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert len(response.json()["data"]) == 500
    plain = await api.get("/v1/audit?limit=500", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == response.json()
