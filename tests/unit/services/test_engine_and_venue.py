"""An engine and the owner of a venue account on one bus: orders go out and come back, whoever is killed between."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from services.engine import outbox as outbox_module
from services.engine.bootstrap import build
from services.engine.started import engine_started
from services.execution import owner, sharing
from services.execution.resolving import ResolvePolicy
from services.execution.venue_execution import VenueExecution, VenueSetup
from services.runtime import Runtime
from services.runtime.heartbeat import Heartbeats
from tests.support.builders import ALPHA, BTC
from tests.support.engine_service import RunningEngine, engine_settings, on_memory, send_command
from tests.support.execution_service import expire_leases
from tests.support.memory_venue import MemoryVenue
from tests.support.waiting import eventually
from tradebus.bus.errors import NotSent
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.config import Settings
from tradebus.core.engine.command import Command, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import AccountSetup, EngineStarted
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, STRATEGY_UNKNOWN, ExchangeId, OrderId
from tradebus.core.model.order import (
    Open,
    Order,
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_to_bytes

ACCOUNT = "alpha-venue"
QUICK = ResolvePolicy(clean_queries=2, clean_s=0.0, query_period_s=0.01, poll_period_s=0.01)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(owner, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(outbox_module, "RESEND_S", 0.02)
    monkeypatch.setattr(outbox_module, "RESOLVE_S", 0.05)


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), (ACCOUNT,)))
    return broker


@pytest.fixture
async def venue() -> MemoryVenue:
    return MemoryVenue()


def started(settings: Settings) -> EngineStarted:
    """Return the start record of an engine whose only account is at a venue."""
    made = engine_started(settings, "run-1")
    accounts = (AccountSetup(ALPHA, ACCOUNT, None),)
    return EngineStarted(
        made.engine_id, made.mode, made.run, made.code, made.index, accounts, (), made.trading, (), None, None
    )


@asynccontextmanager
async def trading(broker: MemoryBroker, *, is_stopped: bool = True) -> AsyncIterator[RunningEngine]:
    """Run the engine; with ``is_stopped`` false it is left as if it were killed."""
    settings = engine_settings(exchanges=(ExchangeId.SIM_ALPHA,))
    runtime = Runtime("engine", "engine-1", settings)
    try:
        bus = await runtime.connect(on_memory(broker))
        service = await build(runtime, bus, started(settings), [])
        await service.start()
        try:
            yield RunningEngine(runtime, service, bus)
        finally:
            if is_stopped:
                await service.stop()
    finally:
        await runtime.close()


@asynccontextmanager
async def owning(broker: MemoryBroker, venue: MemoryVenue, *, is_stopped: bool = True) -> AsyncIterator[VenueExecution]:
    runtime = Runtime("execution", "execution-1", engine_settings(runtime={"stop_timeout_ms": 1000}))
    try:
        bus = await runtime.connect(on_memory(broker))
        service = VenueExecution(runtime, bus, [VenueSetup(ACCOUNT, ALPHA, venue)], QUICK)
        await service.start()
        subject = subjects.hb("execution", runtime.instance)

        def send(beat: Heartbeat) -> None:
            bus.publish(subject, heartbeat_to_bytes(beat))

        beats = Heartbeats(lambda time_ns: runtime.beat(service, time_ns), send, 0.05)
        runtime.spawn(beats.run(), "heartbeats")
        try:
            yield service
        finally:
            if is_stopped:
                await service.stop()
    finally:
        await runtime.close()
        if not is_stopped:
            await expire_leases(on_memory(broker), "execution-1")


def is_linked(engine: RunningEngine) -> bool:
    """Tell whether the engine hands requests to the account over."""
    state = engine.service._base.engine.state  # type: ignore[attr-defined]
    return bool(state.connectivity[ALPHA].link is AccountLink.HEALTHY)


async def opens(bus: MemoryBus, engine: RunningEngine, number: int) -> None:
    """Ask the engine for an order, as an operator does, when the account's owner is heard."""
    await eventually(lambda: is_linked(engine))
    key = OrderKey(ALPHA, BTC, STRATEGY_UNKNOWN, NO_CLIENT_ORDER_ID)
    request = OrderRequestOpen(
        key, Side.BUY, Decimal(100), Decimal(1), OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED
    )
    await send_command(bus, "demo", Command(f"open-{number}", "operator", SendOpenRequests((request,))))


def orders(engine: RunningEngine) -> list[Order]:
    state = engine.service._base.engine.state  # type: ignore[attr-defined]
    return list(state.instruments[BTC].orders.values())


def are_open(engine: RunningEngine, count: int) -> Callable[[], bool]:
    return lambda: [type(order.state) for order in orders(engine)] == [Open] * count


async def test_an_order_goes_out_once_and_its_report_comes_back(
    broker: MemoryBroker, venue: MemoryVenue, other_bus: MemoryBus
) -> None:
    async with trading(broker) as engine, owning(broker, venue):
        await opens(other_bus, engine, 1)
        await eventually(are_open(engine, 1))
        (order,) = orders(engine)
        await send_command(
            other_bus, "demo", Command("cancel", "operator", SendCancelRequests((OrderRequestCancel(order.key, None),)))
        )
        await eventually(lambda: orders(engine) == [])
        await eventually(lambda: engine.status["requests_waiting"] == 0)
    assert venue.submitted == venue.cancelled == [order.key.cid]


async def test_an_order_that_no_owner_hears_in_time_is_never_sent(
    broker: MemoryBroker, venue: MemoryVenue, other_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module.Outbox, "__init__", _impatient(outbox_module.Outbox.__init__))
    async with trading(broker) as engine:
        async with owning(broker, venue):
            await eventually(lambda: is_linked(engine))
        await opens(other_bus, engine, 1)
        await eventually(lambda: len(orders(engine)) == 1)
        outbox = engine.service._base.outbox  # type: ignore[attr-defined]
        await eventually(lambda: outbox.resolved > 0)
        async with owning(broker, venue):
            await eventually(lambda: orders(engine) == [], "it is told that it never went out")
            assert outbox.pending == 0
    assert venue.submitted == []


def _impatient(init: Callable[..., None]) -> Callable[..., None]:
    """Return a way to make an outbox whose requests do not live long."""

    def made(self: object, *arguments: object, **named: object) -> None:
        init(self, *arguments, **{**named, "ttl_ns": 20_000_000})

    return made


async def unheard(*_: object, **__: object) -> None:
    """Lose a request on its way."""
    raise NotSent("exec", "lost")


async def test_a_killed_engine_takes_up_what_was_in_flight(
    broker: MemoryBroker, venue: MemoryVenue, other_bus: MemoryBus
) -> None:
    # One order is intended and held up at the venue, and one never leaves the engine.
    async with trading(broker, is_stopped=False) as engine, owning(broker, venue):
        venue.gate.clear()
        await opens(other_bus, engine, 1)
        await eventually(lambda: len(venue.submitted) == 1)
        outbox = engine.service._base.outbox  # type: ignore[attr-defined]
        outbox._bus.request = unheard
        await opens(other_bus, engine, 2)
        await eventually(lambda: len(orders(engine)) == 2 and engine.status["requests_waiting"] == 1)
        venue.gate.set()
    sent = list(venue.submitted)
    async with trading(broker) as engine, owning(broker, venue):
        await eventually(are_open(engine, 1), "the first is open; of the second it is told that it never went out")
        await eventually(lambda: engine.status["requests_waiting"] == 0)
    assert venue.submitted == sent


async def test_a_killed_owner_is_followed_by_one_that_asks_the_venue(
    broker: MemoryBroker, venue: MemoryVenue, other_bus: MemoryBus
) -> None:
    async with trading(broker) as engine:
        async with owning(broker, venue, is_stopped=False):
            venue.gate.clear()
            await opens(other_bus, engine, 1)
            await eventually(lambda: len(venue.submitted) == 1)
        venue.gate.set()
        (order,) = orders(engine)
        # It was carried out after all, and its answer went to a process that is no more.
        venue.orders[order.key.cid] = order.with_state(Open(OrderId("1"), 7, Decimal(0)))
        async with owning(broker, venue):
            await eventually(are_open(engine, 1))
    assert len(venue.submitted) == 1
