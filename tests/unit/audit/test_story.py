"""Why an order was sent: trigger, decision, risk, request, answer, fills, each where the journal has it."""

from http import HTTPStatus
from typing import Any

import pytest

from services.audit.api.kinds import EventKind, kind_of
from services.audit.projections import kind_name
from services.audit.projections.stored import frozen_short, projections_from
from tests.support.audit_api import LIMITS, AuditApi
from tests.support.audit_run import EngineRun
from tests.support.builders import check_of
from tests.support.commanded import Commanded
from tests.unit.audit.test_views import core_records, subclasses
from tradebus.access import Role
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import AccountData, AccountEvent
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.market.event import MarketData, MarketEvent


async def order(api: AuditApi, query: str) -> dict[str, Any]:
    (row,) = await api.data(f"/v1/orders?limit=1&{query}")
    assert isinstance(row, dict)
    return row


async def test_the_story_of_a_filled_order_is_the_journals(api: AuditApi, run: EngineRun) -> None:
    row = await order(api, "status=fully_filled&strategy=ema&order=oldest")
    told = await api.data(f"/v1/orders/{row['cid']}/why")
    tick = await api.data(f"/v1/audit/{row['sequence_first']}")
    assert told["trigger"] == {key: tick[key] for key in ("sequence", "time_engine", "event")}
    (sent,) = [each for output in tick["outputs"] for each in output.get("opens_sent", ()) if each["cid"] == row["cid"]]
    assert told["request"]["request"] == sent
    assert told["request"]["left"] is True
    assert (told["decision"]["origin"], told["decision"]["strategy"]) == ("algo", "ema")
    assert told["risk"]["passed"] is True
    answer = await api.data(f"/v1/audit/{told['acknowledgement']['sequence']}")
    assert told["acknowledgement"]["event"] == answer["event"]
    assert row["cid"] in str(answer["event"])
    fills = [each for each in await api.data("/v1/trades?limit=1000&order=oldest") if each["cid"] == row["cid"]]
    assert told["fills"] == fills != []
    assert told["end"]["status"] == row["status"] == told["status"]
    assert told["trigger"]["sequence"] < told["acknowledgement"]["sequence"] <= told["fills"][-1]["sequence"]


async def test_the_story_of_a_cancelled_order_has_its_cancel(api: AuditApi) -> None:
    row = await order(api, "status=cancelled")
    told = await api.data(f"/v1/orders/{row['cid']}/why")
    assert [each["kind"] for each in told["others"]][:2] == ["cancel_requested", "cancel_accepted"]
    assert told["end"]["sequence"] == next(each["sequence"] for each in told["others"] if each["status"] == "cancelled")


async def test_the_story_as_of_then_knows_nothing_of_later(api: AuditApi) -> None:
    row = await order(api, "status=fully_filled&strategy=ema&order=oldest")
    told = await api.data(f"/v1/orders/{row['cid']}/why?at={row['sequence_first']}")
    assert (told["status"], told["acknowledgement"], told["fills"], told["end"]) == ("open_in_flight", None, [], None)
    await api.problem(f"/v1/orders/{row['cid']}/why?at={row['sequence_first'] - 1}", 404, "unknown_order")


def limit_of(quantity: str) -> RiskCheckSetup:
    return check_of("max_order_quantity", default=quantity)


async def test_the_story_shows_the_parameters_that_the_order_was_judged_by() -> None:
    run = EngineRun(events=60, is_ended=False, risk=[limit_of("2")])
    async with Commanded(run) as api:
        await api.feed(run.batches())
        told: list[Any] = []
        for change in ("3", None, "1"):
            order = {"instrument": "sim_alpha-btc_usdt", "side": "buy", "quantity": "1.5", "price": "60000"}
            answer = await api.post("open-orders", {"orders": [order]}, f"before {change}".replace(" ", "-"))
            await api.engine_reads()
            outcome = await api.data(answer.headers["location"])
            told.append((outcome["opened"] or outcome["declined"])[0])
            if change is not None:
                await api.engine_takes(ConfigChanged("olga", (), (limit_of(change),)))
            else:  # the same parameters again are no other setup
                await api.engine_takes(ConfigChanged("olga", (), (limit_of("3"),)))
        shown = [(await api.data(f"/v1/orders/{cid}/why"))["risk"] for cid in told]
        assert [risk["checks"][0]["params"] for risk in shown] == [
            {"default": quantity} for quantity in ("2", "3", "3")
        ]
        restored = projections_from(frozen_short(api.fold.projections), None, LIMITS)
        assert restored.risk.setups == api.fold.projections.risk.setups
        assert [setup.checks for setup in restored.risk.setups] == [(limit_of(each),) for each in ("2", "3", "1")]
        assert restored.risk.at(-1) is None


async def test_events_of_an_order_are_its_steps_with_their_ticks(api: AuditApi) -> None:
    row = await order(api, "status=cancelled")
    life = await api.data(f"/v1/orders/{row['cid']}")
    events = await api.data(f"/v1/orders/{row['cid']}/events")
    assert [{key: each[key] for key in life["steps"][0]} for each in events] == life["steps"]
    for each in events:
        tick = await api.data(f"/v1/audit/{each['sequence']}")
        assert each["event"] == tick["event"]
        assert each["outputs"] == [output for output in tick["outputs"] if row["cid"] in str(output)]
    near = await api.problem(f"/v1/orders/{row['cid']}x/events", 404, "unknown_order")
    assert row["cid"] in near["near"]


def test_every_kind_of_event_can_be_asked_for() -> None:
    core_records()  # all of the core is imported
    kinds = [*subclasses(MarketData), *subclasses(AccountData), *subclasses(EngineEvent)]
    names = {kind_name(kind) for kind in kinds if kind not in {MarketEvent, AccountEvent, AccountData, MarketData}}
    assert {kind.value for kind in EventKind} == {name for name in names if not name.startswith("_")}


async def test_ticks_of_a_kind_are_found_in_both_directions(api: AuditApi, run: EngineRun) -> None:
    for kind in ("trade_received", "public_trade", "engine_started", "liquidation"):
        expected = [tick.sequence for tick in run.ticks if kind_of(tick) == kind]
        newest = await api.envelope(f"/v1/audit?kind={kind}&limit=5")
        assert [tick["sequence"] for tick in newest["data"]] == expected[-5:]
        seen: list[int] = []
        following: int | None = 0
        while following is not None:
            body = await api.envelope(f"/v1/audit?kind={kind}&limit=30&from={following}")
            seen += [tick["sequence"] for tick in body["data"]]
            following = body["page"]["next"]
        assert seen == expected
    body = await api.problem("/v1/audit?kind=trades", 422, "invalid_parameters")
    assert "'public_trade'" in body["errors"][0]["expected"]


async def test_bounds_and_gaps_of_the_journal(api: AuditApi, run: EngineRun) -> None:
    bounds = await api.data("/v1/audit/bounds")
    assert (bounds["oldest"]["sequence"], bounds["newest"]["sequence"]) == (0, len(run.ticks) - 1)
    assert (bounds["run_first"], bounds["archived"]) == (0, None)
    assert await api.data("/v1/audit/gaps") == []


async def test_export_has_every_tick_as_the_journal_gives_it(api: AuditApi, run: EngineRun) -> None:
    assert (await api.get("/v1/audit/export")).status_code == HTTPStatus.UNAUTHORIZED
    viewer, operator = api.key(Role.VIEWER, "vera"), api.key(Role.OPERATOR, "otto")
    assert (await api.get("/v1/audit/export", **viewer)).status_code == HTTPStatus.FORBIDDEN
    response = await api.get("/v1/audit/export", **operator)
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = response.text.splitlines()
    assert len(lines) == len(run.ticks)
    some = await api.get("/v1/audit/export?from=600&to=602&format=ndjson", **operator)
    assert some.text.splitlines() == lines[600:603]
    response = await api.get("/v1/audit/export?format=parquet", **operator)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("path", ["/v1/audit/bounds", "/v1/audit/gaps"])
async def test_reads_of_the_journal_refuse_what_they_do_not_know(api: AuditApi, path: str) -> None:
    await api.problem(f"{path}?at=4", 422, "invalid_parameters")
