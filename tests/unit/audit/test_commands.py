"""Commands over REST: read strictly, kept under their key, sent once, and told of by the engine's journal alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from structlog.stdlib import get_logger

from services.audit.api.access import Role
from services.audit.commands import CommandDesk, Ledger
from services.audit.commands.bodies import EXPIRES_S_DEFAULT, EXPIRES_S_MAX
from services.audit.commands.errors import TooMany
from services.audit.commands.ledger import KEPT_NS, LedgerDamaged, Taken
from services.audit.config import Limits
from services.audit.fold import Fold
from tests.support.audit_api import AuditApi, new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.commanded import Commanded
from tradebus.core.engine.command import ByUnderlyings, CancelOrders, Command, CommandRejected, SendOpenRequests
from tradebus.core.engine.event import ClockAdvanced, Shutdown, TradingStateUpdate
from tradebus.core.engine.state.commands import KEPT_NS as ID_KEPT_NS
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.order import OrderKind
from tradebus.wire.codec.command import read_at

BTC = "sim_alpha-btc_usdt"
OFF = {"state": "disabled"}
BUY = {"instrument": BTC, "side": "buy", "kind": "limit", "price": "1.5", "quantity": "4"}


@pytest.fixture
async def commanded() -> AsyncIterator[Commanded]:
    run = EngineRun(events=60, is_ended=False)
    async with Commanded(run) as made:
        await made.feed(run.batches())
        yield made


async def progress(api: Commanded, command_id: str) -> Any:
    answer = await api.client.get(f"/v1/commands/{command_id}", headers=api.operator)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def wrong(answer: httpx2.Response) -> dict[str, str]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameters"), answer.text
    return {each["name"]: each["expected"] for each in answer.json()["errors"]}


async def test_command_is_told_of_when_the_journal_says_so_and_not_before(commanded: Commanded) -> None:
    answer = await commanded.post("trading-state", OFF)
    assert answer.status_code == 202
    told = answer.json()["data"]
    assert (told["status"], told["sequence"], told["kind"]) == ("accepted", None, "trading_state")
    assert answer.headers["location"] == f"/v1/commands/{told['id']}"
    assert told["origin"].startswith("alice (key ")
    assert " from 127.0.0.1 over rest at 20" in told["origin"]
    (message,) = await commanded.sent()
    assert message.event == TradingStateUpdate(TradingState.DISABLED, told["origin"])
    assert message.expiry_ns - message.time_ns == EXPIRES_S_DEFAULT * 1_000_000_000
    assert (await commanded.data("/v1/trading"))["state"] == "enabled", "the replica changes by the journal alone"
    await commanded.engine_takes(read_at(message, 1))
    told = await progress(commanded, told["id"])
    assert (told["status"], told["sequence"]) == ("applied", commanded.fold.sequence)
    trading = await commanded.data("/v1/trading")
    assert (trading["state"], trading["changed"]["origin"]) == ("disabled", told["origin"])


async def test_one_key_is_one_command(commanded: Commanded) -> None:
    answers = [await commanded.post("trading-state", OFF) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert len(await commanded.sent()) == 1
    other = await commanded.post("trading-state", {"state": "enabled"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    other = await commanded.post("close-positions", {"filter": {"type": "all_instruments"}})
    assert other.status_code == 409
    commanded.operator = commanded.key(Role.OPERATOR, "bob")
    assert (await commanded.post("trading-state", {"state": "enabled"})).status_code == 202, "a key of bob's own"
    assert len(await commanded.sent()) == 2


async def test_same_key_at_the_same_moment_is_one_command(commanded: Commanded) -> None:
    answers = await asyncio.gather(*(commanded.post("trading-state", OFF) for _ in range(5)))
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert len({message.id for message in await commanded.sent()}) == 1
    assert len({message.time_ns for message in await commanded.sent()}) == 1


async def test_key_is_remembered_by_the_next_process(commanded: Commanded) -> None:
    first = (await commanded.post("trading-state", OFF)).json()["data"]
    ledger = Ledger(commanded.ledger_path)
    ledger.open()
    taken = ledger.get(first["id"])
    assert taken is not None
    assert taken.origin == first["origin"]


async def test_waiting_answers_when_something_has_become_of_it(commanded: Commanded) -> None:
    waiting = asyncio.create_task(commanded.post("trading-state", OFF, query="?wait=20s"))
    while not await commanded.sent():
        await asyncio.sleep(0)
    (message,) = await commanded.sent()
    await commanded.engine_takes(read_at(message, 1))
    answer = await waiting
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "applied")
    late = await commanded.post("trading-state", {"state": "enabled"}, key="k-2", query="?wait=1ms")
    assert (late.status_code, late.json()["data"]["status"]) == (202, "accepted")
    assert wrong(await commanded.post("trading-state", OFF, query="?wait=31s")) == {"wait": "at most 30s"}
    assert "a whole number with a unit" in wrong(await commanded.post("trading-state", OFF, query="?wait=2"))["wait"]


async def test_orders_are_opened_by_names(commanded: Commanded) -> None:
    orders = [BUY, {"instrument": BTC.upper(), "side": "sell", "kind": "market", "quantity": "1", "strategy": "ema"}]
    answer = await commanded.post("open-orders", {"orders": orders, "override_risk": True})
    assert answer.status_code == 202, answer.text
    (message,) = await commanded.sent()
    assert isinstance(message.event, Command)
    action = message.event.action
    assert isinstance(action, SendOpenRequests)
    limit, market = action.requests
    assert (str(limit.price), str(limit.quantity), limit.key.cid, action.override_risk) == ("1.5", "4", "", True)
    assert (market.kind, market.key.strategy, market.price > 1000) == (OrderKind.MARKET, "ema", True)
    await commanded.engine_takes(read_at(message, 1))
    told = await progress(commanded, message.id)
    assert (told["status"], len(told["opened"])) == ("applied", 2)
    cid = told["opened"][0]
    assert (await commanded.post("cancel-orders", {"cids": [cid]}, key="k-2")).status_code == 202
    cancel = (await commanded.sent())[-1]
    await commanded.engine_takes(read_at(cancel, 2))
    assert (await progress(commanded, cancel.id))["cancelled"] == [cid]


async def test_command_of_which_every_request_is_refused_is_rejected(commanded: Commanded) -> None:
    await commanded.post("open-orders", {"orders": [{**BUY, "cid": "mine"}, {**BUY, "cid": "mine"}]})
    (message,) = await commanded.sent()
    await commanded.engine_takes(read_at(message, 1))
    told = await progress(commanded, message.id)
    assert (told["status"], len(told["opened"]), len(told["declined"])) == ("applied", 1, 1)
    await commanded.post("open-orders", {"orders": [{**BUY, "cid": "mine"}]}, key="k-2")
    again = (await commanded.sent())[-1]
    await commanded.engine_takes(read_at(again, 2))
    told = await progress(commanded, again.id)
    assert (told["status"], told["opened"]) == ("rejected", [])
    assert told["reason"] == told["declined"][0]


async def test_what_the_engine_rejects_is_told_with_its_reason(commanded: Commanded) -> None:
    told = (await commanded.post("trading-state", OFF)).json()["data"]
    reason = f"command {told['id']} expired before it was read"
    await commanded.engine_takes(CommandRejected(told["id"], told["origin"], reason, 1))
    again = (await commanded.post("trading-state", OFF, query="?wait=1s")).json()["data"]
    assert (again["status"], again["reason"], again["kind"]) == ("rejected", reason, "trading_state")
    assert len(await commanded.sent()) == 1


async def test_filters_select_by_names(commanded: Commanded) -> None:
    pair = {"exchange": "sim_alpha", "base": "btc", "quote": "usdt"}
    for number, selection in enumerate(
        (
            {"type": "all_instruments"},
            {"type": "by_exchanges", "exchanges": ["sim_beta"]},
            {"type": "by_instruments", "instruments": [BTC]},
            {"type": "by_underlyings", "underlyings": [pair]},
        )
    ):
        answer = await commanded.post("cancel-orders", {"filter": selection}, key=f"cancel-{number}")
        assert answer.status_code == 202, answer.text
        answer = await commanded.post("close-positions", {"filter": selection}, key=f"close-{number}")
        assert answer.status_code == 202, answer.text
    cancel = (await commanded.sent())[-2].event
    assert isinstance(cancel, Command)
    assert isinstance(cancel.action, CancelOrders)
    assert isinstance(cancel.action.filter, ByUnderlyings)
    ((base, quote),) = cancel.action.filter.underlyings
    names = [item.asset.name_internal for item in commanded.fold.state.index.assets]
    assert (names[base], names[quote]) == ("btc", "usdt")


async def test_everything_wrong_is_told_at_once(commanded: Commanded) -> None:
    orders = [
        {**BUY, "instrument": "sim_alpha-btc_usd", "quantity": 2},
        {**BUY, "price": "-1", "side": "long", "odd": 1},
        {"instrument": BTC, "side": "buy", "quantity": "1e999"},
    ]
    answer = await commanded.post("open-orders", {"orders": orders, "expires_in": "2h"}, key=" ")
    found = wrong(answer)
    assert found["orders.0.instrument"] == "an instrument of this journal"
    assert found["orders.0.quantity"] == "a decimal number as text"
    assert found["orders.1.price"] == "a decimal number above 0"
    assert "'buy' or 'sell'" in found["orders.1.side"]
    assert "orders.1.odd" in found
    assert "orders.2.quantity" in found
    assert "a whole number with a unit" in found["expires_in"]
    assert "Idempotency-Key".lower() in {name.lower() for name in found}
    near = {each["name"]: each.get("near") for each in answer.json()["errors"]}
    assert near["orders.0.instrument"][0] == BTC
    assert await commanded.sent() == []


async def test_a_body_that_is_no_text_is_refused_like_one_that_is_no_json(commanded: Commanded) -> None:
    for content in (b"\xd6w\xe7", b"{"):
        headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json", **commanded.operator}
        answer = await commanded.client.post("/v1/commands/trading-state", content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameters")
        assert answer.json()["errors"][0]["where"] == "body"
    assert await commanded.sent() == []


@pytest.mark.parametrize(
    ("what", "body", "name", "expected"),
    [
        ("open-orders", {"orders": []}, "orders", "at least 1 item"),
        ("open-orders", {"orders": [{"instrument": BTC, "side": "buy", "quantity": "1"}]}, "orders.0", "a price"),
        ("cancel-orders", {}, "", "either `cids` or `filter`"),
        ("cancel-orders", {"cids": ["no-such"]}, "cids.0", "an order that may still trade"),
        ("cancel-orders", {"filter": {"type": "some"}}, "filter", "expected tags"),
        ("close-positions", {}, "filter", "Field required"),
        (
            "close-positions",
            {
                "filter": {
                    "type": "by_underlyings",
                    "underlyings": [{"exchange": "sim_beta", "base": "eth", "quote": "usdt"}],
                }
            },
            "filter.by_underlyings.underlyings.0",
            "an asset of sim_beta",
        ),
        ("trading-state", {"state": "off"}, "state", "'enabled' or 'disabled'"),
        ("trading-state", {**OFF, "expires_in": "0s"}, "expires_in", "a duration above 0"),
        ("trading-state", {**OFF, "expires_in": f"{EXPIRES_S_MAX + 1}s"}, "expires_in", "a duration above 0"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    commanded: Commanded, what: str, body: Any, name: str, expected: str
) -> None:
    assert expected in wrong(await commanded.post(what, body))[name]
    assert await commanded.sent() == []


async def test_dry_run_checks_and_sends_nothing(commanded: Commanded) -> None:
    answer = await commanded.post("open-orders", {"orders": [BUY]}, query="?dry_run=true")
    assert (answer.status_code, answer.json()["data"]["status"]) == (200, "valid")
    assert (await commanded.sent(), commanded.ledger_path.read_bytes()) == ([], b"")


async def test_ordered_stop_is_of_admins_and_asks_all_of_it(commanded: Commanded) -> None:
    assert (await commanded.post("shutdown", {})).status_code == 403
    commanded.operator = commanded.key(Role.ADMIN, "root")
    told = (await commanded.post("shutdown", {"close_positions": True})).json()["data"]
    messages = await commanded.sent()
    assert [type(message.event) for message in messages] == [TradingStateUpdate, Command, Command, Shutdown]
    assert [message.id for message in messages] == [f"{told['id']}-{n}" for n in (1, 2, 3)] + [told["id"]]
    await commanded.engine_takes(*(read_at(message, at) for at, message in enumerate(messages, 1)))
    told = await progress(commanded, told["id"])
    assert (told["status"], told["sequence"]) == ("applied", commanded.fold.sequence)
    assert (await commanded.data(f"/v1/audit/{told['sequence']}"))["event"]["origin"].startswith("root (key ")


async def test_live_mode_wants_it_said(commanded: Commanded) -> None:
    object.__setattr__(commanded.fold, "mode", "live")
    refused = await commanded.post("trading-state", OFF)
    assert (refused.status_code, refused.json()["code"]) == (428, "confirmation_required")
    assert (await commanded.post("trading-state", OFF, **{"X-Confirm": "live"})).status_code == 202


async def test_commands_are_taken_while_the_replica_is_behind_and_refused_before_it_has_names(
    commanded: Commanded,
) -> None:
    commanded.is_caught_up = False
    assert (await commanded.post("trading-state", OFF)).status_code == 202
    async with AuditApi(new_fold()) as empty:
        headers = {"Idempotency-Key": "k", **empty.key(Role.OPERATOR)}
        answer = await empty.client.post("/v1/commands/trading-state", json=OFF, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_started")


async def test_command_that_cannot_be_sent_is_sent_at_its_next_try(commanded: Commanded) -> None:
    commanded.broker.start_outage()
    lost = await commanded.post("trading-state", OFF)
    commanded.broker.end_outage()
    assert (lost.status_code, lost.json()["code"]) == (503, "not_sent")
    assert lost.headers["retry-after"] == "1"
    assert (await commanded.post("trading-state", OFF)).status_code == 202
    assert len({message.id for message in await commanded.sent()}) == 1


async def test_what_was_taken_long_ago_is_not_sent_again(commanded: Commanded) -> None:
    """An engine that has forgotten that it applied it would call it expired."""
    commanded.broker.start_outage()
    assert (await commanded.post("trading-state", OFF)).status_code == 503
    commanded.broker.end_outage()
    hour_ns = 3_600_000_000_000
    commanded.app.state.context = replace(
        commanded.context,
        commands=CommandDesk(
            commanded.bus,
            "demo",
            commanded.fold,
            commanded.ledger,
            get_logger("test"),
            lambda: time.time_ns() + hour_ns,
        ),
    )
    assert (await commanded.post("trading-state", OFF)).json()["data"]["status"] == "accepted"
    assert await commanded.sent() == []


async def test_a_command_whose_journal_was_begun_anew_is_lost_once_it_has_expired(commanded: Commanded) -> None:
    answer = await commanded.post("trading-state", {**OFF, "expires_in": "2s"})
    path, ahead_ns = answer.headers["location"], 0
    anew = new_fold()
    for message in messages_of(EngineRun(events=20, run="another").batches()):
        anew.take(message)

    async def standing(fold: Fold) -> dict[str, Any]:
        desk = CommandDesk(
            commanded.bus, "demo", fold, commanded.ledger, get_logger("test"), lambda: time.time_ns() + ahead_ns
        )
        commanded.app.state.context = replace(commanded.context, fold=fold, commands=desk)
        data: dict[str, Any] = await commanded.data(path)
        return data

    assert (await standing(anew))["status"] == "accepted", "an engine that reads it now applies it"
    ahead_ns = 3_000_000_000
    assert (await standing(commanded.fold))["status"] == "accepted", "its own journal may still reject it"
    lost = await standing(anew)
    assert (lost["status"], lost["sequence"]) == ("lost", None)
    assert "begun anew" in lost["reason"]
    assert (await commanded.post("trading-state", {**OFF, "expires_in": "2s"}, query="?wait=20s")).status_code == 200


async def test_a_command_whose_outcome_is_no_longer_kept_is_not_called_on_its_way() -> None:
    run = EngineRun(events=40, is_ended=False)
    async with Commanded(run, limits=Limits(commands=1)) as api:
        await api.feed(run.batches())
        now_ns = run.engine.time_ns
        desk = CommandDesk(api.bus, "demo", api.fold, Ledger(None, lambda: now_ns), get_logger("test"), lambda: now_ns)
        api.app.state.context = replace(api.context, commands=desk)
        first = await api.post("trading-state", {**OFF, "expires_in": "1ms"}, "first")
        await api.engine_reads()
        assert (await api.data(first.headers["location"]))["status"] == "applied"
        await api.engine_takes(ClockAdvanced(), after_ns=2_000_000)
        now_ns += 2_000_000
        for key in ("second", "third"):
            await api.post("trading-state", OFF, key)
            await api.engine_reads()
        told = await api.data(first.headers["location"])
        assert (told["status"], "no longer kept" in told["reason"]) == ("lost", True)


async def test_unknown_command(commanded: Commanded) -> None:
    answer = await commanded.client.get("/v1/commands/none", headers=commanded.operator)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_command")


def taken(command_id: str, time_ns: int) -> Taken:
    return Taken(command_id, "trading_state", "d", "o", time_ns, time_ns + 10)


def test_no_command_lives_as_long_as_an_engine_knows_its_id() -> None:
    assert EXPIRES_S_MAX * 1_000_000_000 < ID_KEPT_NS


def test_ledger_is_bounded_and_forgets_what_has_expired_only(tmp_path: Any) -> None:
    now = [0]
    ledger = Ledger(tmp_path / "c.ndjson", lambda: now[0], entries_max=2)
    ledger.open()
    for name in "ab":
        ledger.add(taken(name, 0))
    with pytest.raises(TooMany):
        ledger.add(taken("c", 0))
    now[0] = 11
    ledger.add(taken("c", 11))
    assert [ledger.get(name) is not None for name in "abc"] == [False, True, True]
    now[0] = KEPT_NS + 1
    ledger.add(taken("d", now[0]))
    assert ledger.get("b") is None
    for number in range(9):
        now[0] += 20
        ledger.add(taken(f"n{number}", now[0]))
    assert len((tmp_path / "c.ndjson").read_bytes().splitlines()) <= 4


def test_ledger_survives_a_torn_line_and_names_a_damaged_one(tmp_path: Any) -> None:
    path = tmp_path / "c.ndjson"
    ledger = Ledger(path, lambda: 0)
    ledger.open()
    ledger.add(taken("a", 0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-9])
    again = Ledger(path, lambda: 0)
    again.open()
    assert again.get("a") is not None
    assert path.read_bytes() == whole
    path.write_bytes(b'{"id"\n' + whole)
    with pytest.raises(LedgerDamaged, match="line 1"):
        Ledger(path, lambda: 0).open()
