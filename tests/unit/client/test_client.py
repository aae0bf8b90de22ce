"""Both clients against the real application: typed answers, pages, problems as exceptions, commands that wait."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from services.audit.api.access import Role
from services.audit.api.security import Guard
from tests.support.audit_run import EngineRun
from tests.support.commanded import Commanded
from tradebus.client import (
    AsyncClient,
    Client,
    CommandRejected,
    CommandTimeout,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    ServiceUnavailable,
    StreamEvent,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from tradebus.client.commands import order, selection
from tradebus.client.sse import EventReader
from tradebus.core.engine.command import CommandRejected as RejectedByEngine

BTC = "sim_alpha-btc_usdt"


@pytest.fixture
async def api() -> AsyncIterator[Commanded]:
    run = EngineRun(events=100, is_ended=False)
    async with Commanded(run) as made:
        await made.feed(run.batches())
        yield made


def client_of(api: Commanded, role: Role | None = Role.OPERATOR, **more: Any) -> AsyncClient:
    key = None if role is None else api.key(role, "alice")["Authorization"].removeprefix("Bearer ")
    transport = httpx2.ASGITransport(Guard(api.app, api.metrics), raise_app_exceptions=False)
    return AsyncClient("http://audit", key=key, transport=transport, **more)


async def test_answers_are_typed(api: Commanded) -> None:
    async with client_of(api) as tradebus:
        trading = await tradebus.trading()
        assert (trading.data.state, trading.sequence) == ("enabled", api.fold.sequence)
        state = await tradebus.state()
        assert state.verification.equal is True
        instrument = (await tradebus.instrument(BTC)).data
        assert instrument.market.price is None or isinstance(instrument.market.price, Decimal)
        assert len((await tradebus.instruments()).data) == 3
        assert {each.exchange for each in (await tradebus.connectivity()).data.exchanges} == {"sim_alpha", "sim_beta"}
        assert len((await tradebus.assets()).data) == 5
        assert (await tradebus.asset("sim_alpha", "usdt")).data.balance is not None
        assert isinstance((await tradebus.positions()).data, list)
        assert (await tradebus.version()).api == "v1"
        assert (await tradebus.statistics("daily")).data.instruments
        assert (await tradebus.instrument_statistics(BTC)).data.instrument == BTC
        assert (await tradebus.asset_statistics("usdt")).data.asset == "usdt"
        assert (await tradebus.equity()).data
        assert (await tradebus.audit_bounds()).data.newest.sequence == api.fold.sequence
        (first, *_) = [each async for each in tradebus.orders(order="oldest")]
        assert (await tradebus.why(first.cid)).data.cid == first.cid
        assert (await tradebus.order_events(first.cid)).data
        assert (await tradebus.get("/v1/trades", limit=1))["page"]["kept"] > 0


async def test_pages_are_read_to_their_end(api: Commanded) -> None:
    async with client_of(api) as tradebus:
        orders = [each async for each in tradebus.orders(order="oldest")]
        assert len(orders) == len(list(api.fold.projections.orders.oldest_first()))
        assert (await tradebus.order(orders[0].cid)).data.steps
        fills = [each async for each in tradebus.trades()]
        assert len(fills) == api.fold.projections.fills.rows.count
        ticks = [each.sequence async for each in tradebus.audit()]
        assert ticks == list(range(api.fold.sequence + 1))
        assert [each.sequence async for each in tradebus.audit(5, 9)] == [5, 6, 7, 8, 9]
        exits = [each async for each in tradebus.exited_positions()]
        assert len(exits) == api.fold.projections.exits.rows.count
        assert (await tradebus.audit_tick(3)).data.sequence == 3


async def test_problems_are_exceptions(api: Commanded) -> None:
    async with client_of(api) as tradebus:
        with pytest.raises(NotFound) as unknown:
            await tradebus.instrument("sim_alpha-btc_usd")
        assert unknown.value.near[0] == BTC
        with pytest.raises(InvalidRequest) as wrong:
            await tradebus.open_orders([order("nowhere", "buy", "-1", price=1)])
        assert {each["name"] for each in wrong.value.errors} == {"orders.0.instrument", "orders.0.quantity"}
        assert "orders.0.quantity: expected a decimal number above 0" in str(wrong.value)
        with pytest.raises(Forbidden):
            await tradebus.shutdown()
        await tradebus.set_trading_state("disabled", key="k")
        with pytest.raises(Conflict):
            await tradebus.set_trading_state("enabled", key="k")
        api.is_caught_up = False
        with pytest.raises(ServiceUnavailable) as behind:
            await tradebus.state()
        assert (behind.value.code, behind.value.retry_after_s) == ("replica_behind", 1)
    async with client_of(api, None) as tradebus:
        with pytest.raises(Unauthorized, match="a key"):
            await tradebus.set_trading_state("disabled")


async def test_command_waits_for_what_becomes_of_it(api: Commanded) -> None:
    async with client_of(api) as tradebus:
        waiting = asyncio.ensure_future(tradebus.open_orders([order(BTC, "buy", 4, price="1.5")], wait_s=20))
        while not await api.sent():
            await asyncio.sleep(0)
        await api.engine_reads()
        done = await waiting
        assert (done.status, len(done.opened), done.sequence) == ("applied", 1, api.fold.sequence)
        with pytest.raises(CommandTimeout) as late:
            await tradebus.cancel_orders(wait_s=0.05)
        assert late.value.progress.status == "accepted"
        assert (await tradebus.command_progress(late.value.progress.id)).kind == "cancel_orders"
        told = await tradebus.close_positions(selection(exchanges=["sim_beta"]), key="k", expires_s=0.5)
        await api.engine_takes(RejectedByEngine(told.id or "", told.origin or "", "it expired", 9))
        with pytest.raises(CommandRejected, match="it expired"):
            await tradebus.close_positions(selection(exchanges=["sim_beta"]), key="k", expires_s=0.5, wait_s=5)
        checked = await tradebus.cancel_orders(cids=[done.opened[0]], dry_run=True)
        assert (checked.status, checked.id) == ("valid", None)


async def test_command_is_repeated_under_its_key_when_the_connection_is_lost(api: Commanded) -> None:
    inner = httpx2.ASGITransport(Guard(api.app, api.metrics))

    class Losing(httpx2.AsyncBaseTransport):
        lost = 0

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await inner.handle_async_request(request)
            if self.lost < 2:
                self.lost += 1
                raise httpx2.ReadError("cut")
            return response

    key = api.operator["Authorization"].removeprefix("Bearer ")
    async with AsyncClient("http://audit", key=key, transport=Losing()) as tradebus:
        assert (await tradebus.set_trading_state("disabled")).status == "accepted"
    assert len(await api.sent()) == 1


def test_nobody_there_and_somebody_else(api_port: int) -> None:
    with Client(f"http://127.0.0.1:{api_port}") as tradebus, pytest.raises(Unreachable, match="nobody answers at"):
        tradebus.trading()
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, text="<html>"))
    with Client(transport=answer) as tradebus, pytest.raises(UnexpectedAnswer, match="expected JSON"):
        tradebus.trading()
    answer = httpx2.MockTransport(lambda _: httpx2.Response(404, text="<html>"))
    with Client(transport=answer) as tradebus, pytest.raises(UnexpectedAnswer, match="expected an answer of Tradebus"):
        tradebus.trading()
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"sequence": 1}))
    with Client(transport=answer) as tradebus, pytest.raises(UnexpectedAnswer, match="not what this version expects"):
        tradebus.trading()


@pytest.fixture
def api_port() -> int:
    from services.runtime.ports import free_ports  # noqa: PLC0415 - used here only

    return free_ports(1)[0]


def test_floats_are_no_prices() -> None:
    with pytest.raises(TypeError, match="expected a Decimal"):
        order(BTC, "buy", 0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected one of"):
        selection(exchanges=["a"], instruments=["b"])


def test_stream_goes_on_where_it_was_cut() -> None:
    asked: list[tuple[str | None, str]] = []
    bodies = [
        b'retry: 1\n\nid: 7\nevent: snapshot\ndata: {"a": 1}\n\nid: 8\nevent: order\ndata: {"half\n',
        b': keep-alive\nid: 8\n\nevent: order\nid: 9\ndata: {\ndata: "b": 2}\n\n',
    ]

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.headers.get("last-event-id"), str(request.url)))
        return httpx2.Response(200, content=bodies[min(len(asked), len(bodies)) - 1])

    with Client(transport=httpx2.MockTransport(answer)) as tradebus:
        events: Iterator[StreamEvent] = tradebus.stream(["order", "trade"], instruments=[BTC], max_rate=2)
        assert next(events) == StreamEvent("snapshot", "7", {"a": 1})
        assert next(events) == StreamEvent("order", "9", {"b": 2})
    assert asked[0] == (None, f"http://127.0.0.1:8000/v1/stream?topics=order%2Ctrade&instruments={BTC}&max_rate=2")
    assert asked[1][0] == "7", "an event that came half does not count"


def test_reader_of_events() -> None:
    reader = EventReader()
    lines = ["id: 3", "data: 1", "", ": comment", "", "event: x", "data: [", "data: 2]", "", "event: empty", ""]
    assert [event for line in lines for event in reader.read(line)] == [
        StreamEvent("message", "3", 1),
        StreamEvent("x", "3", [2]),
    ]
