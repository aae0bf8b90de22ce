"""Requests to a venue account: journaled before they leave, sent at most once, resolved rather than sent again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from services.execution import owner, sharing
from services.execution.resolving import ResolvePolicy
from services.execution.venue_execution import VenueExecution, VenueSetup
from services.runtime import Runtime
from tests.support.builders import ALPHA, cancel_of, fill, open_request
from tests.support.engine_service import engine_settings, on_memory
from tests.support.execution_service import entries, expire_leases, owners
from tests.support.memory_venue import MemoryVenue
from tests.support.waiting import eventually
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.core.engine.event import (
    AccountEvent,
    CancelAnswered,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    TradeReceived,
)
from tradebus.core.model.order import Cancelled, Open, OpenFailed, OrderRequestOpen, RequestKind
from tradebus.core.model.side import Side
from tradebus.journal import writer as writer_module
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountRecord, Intent, RequestOutcome, RequestResult
from tradebus.wire.codec.exec import (
    OrderAnswer,
    OrderRequest,
    OrderRequests,
    ResolveOrder,
    order_reply_from_bytes,
    order_requests_to_bytes,
)
from tradebus.wire.integrity import checked_headers

ACCOUNT = "alpha"
SECOND_NS = 1_000_000_000
QUICK = ResolvePolicy(clean_queries=3, clean_s=0.0, query_period_s=0.01, poll_period_s=0.01)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(owner, "ASK_PERIOD_S", 0.01)
    monkeypatch.setattr(writer_module, "RETRY_FIRST_S", 0.002)
    monkeypatch.setattr(writer_module, "RETRY_MAX_S", 0.01)
    monkeypatch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.02)


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), (ACCOUNT,)))
    return broker


@pytest.fixture
async def venue() -> MemoryVenue:
    return MemoryVenue()


@asynccontextmanager
async def owning(
    broker: MemoryBroker, venue: MemoryVenue, *, instance: str = "execution-1", is_stopped: bool = True
) -> AsyncIterator[VenueExecution]:
    """Run the service; with ``is_stopped`` false it is left as if it were killed."""
    runtime = Runtime("execution", instance, engine_settings(runtime={"stop_timeout_ms": 1000}))
    try:
        bus = await runtime.connect(on_memory(broker))
        service = VenueExecution(runtime, bus, [VenueSetup(ACCOUNT, ALPHA, venue)], QUICK)
        await service.start()
        try:
            yield service
        finally:
            if is_stopped:
                await service.stop()
    finally:
        await runtime.close()
        if not is_stopped:
            await expire_leases(on_memory(broker), instance)


class Engine:
    """Asks as an engine does, and reads what the journal holds."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus

    async def asks(
        self, *requests: OrderRequest, sequence: int = 1, epoch: int = 1, lives_ns: int = 5 * SECOND_NS
    ) -> tuple[OrderAnswer, ...]:
        """Return the answers; raises BusUnavailable when there are none."""
        asked = OrderRequests("demo", epoch, sequence, time.time_ns() + lives_ns, requests)
        payload = order_requests_to_bytes(asked)
        subject = subjects.exec_(ACCOUNT)
        reply = await self.bus.request(subject, payload, timeout_s=0.5, headers=checked_headers(payload))
        return order_reply_from_bytes(reply.payload).answers

    async def records(self) -> list[AccountRecord]:
        return [entry.record for entry in await entries(self.bus, ACCOUNT)]

    async def data(self) -> list[object]:
        return [record.data for record in await self.records() if isinstance(record, AccountEvent)]

    async def has(self, what: Callable[[object], bool]) -> object:
        """Wait until the journal holds an event, and return its data."""
        while True:
            for data in await self.data():
                if what(data):
                    return data
            await eventually_moved(self.bus)


async def eventually_moved(bus: MemoryBus) -> None:
    before = (await bus.journal_state(subjects.acct_stream(ACCOUNT))).last_sequence
    stream = bus._broker.stream(subjects.acct_stream(ACCOUNT))
    await eventually(lambda: stream.last_sequence > before)


@pytest.fixture
def engine(other_bus: MemoryBus) -> Engine:
    return Engine(other_bus)


def opened(cid: str) -> OrderRequestOpen:
    return open_request(cid, Side.BUY, 100, 1)


def is_report(cid: str, kind: type) -> Callable[[object], bool]:
    return lambda data: (
        isinstance(data, OrderReceived) and data.order.key.cid == cid and isinstance(data.order.state, kind)
    )


async def test_the_intent_is_on_disk_before_anything_leaves(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        subject = subjects.acct(ACCOUNT)
        for _ in range(100):
            broker.lose_next_append(subject)
        asking = asyncio.create_task(engine.asks(opened("c1")))
        await eventually(lambda: broker._lost_appends[subject] < 95)
        assert venue.submitted == [], "what is not journaled is not sent"
        broker._lost_appends.clear()
        (answer,) = await asking
        assert answer.outcome is None
        assert isinstance((await engine.records())[answer.entry], Intent)
        await engine.has(is_report("c1", Open))
    assert venue.submitted == ["c1"]


async def test_a_request_that_comes_again_is_answered_and_not_sent_again(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        first = await engine.asks(opened("c1"))
        assert await engine.asks(opened("c1")) == first
        await engine.has(is_report("c1", Open))
        assert await engine.asks(opened("c1")) == first
    async with owning(broker, venue, instance="execution-2"):
        assert await engine.asks(opened("c1")) == first, "the journal knows it, whoever owns the account"
        (other,) = await engine.asks(open_request("c1", Side.SELL, 90, 2))
        assert other.outcome is RequestOutcome.REPEATED
    assert venue.submitted == ["c1"]


@pytest.mark.parametrize("carried_out", [True, False])
async def test_what_a_killed_owner_left_in_doubt_is_resolved_and_never_sent_again(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine, carried_out: bool
) -> None:
    async with owning(broker, venue, is_stopped=False):
        venue.gate.clear()
        await engine.asks(opened("c1"), lives_ns=SECOND_NS // 20)
        await eventually(lambda: venue.submitted == ["c1"])
    venue.gate.set()
    if carried_out:
        await MemoryVenue.submit(venue, opened("c1"))
        venue.submitted.pop()
    async with owning(broker, venue, instance="execution-2"):
        if carried_out:
            await engine.has(is_report("c1", Open))
        else:
            never = await engine.has(lambda data: isinstance(data, RequestNeverReceived))
            assert isinstance(never, RequestNeverReceived)
            assert (never.key.cid, never.request) == ("c1", RequestKind.OPEN)
            assert venue.queries >= 3
    data = await engine.data()
    assert sum(isinstance(each, RequestInDoubt) for each in data) == 1
    assert venue.submitted == ["c1"]


async def test_a_timeout_is_a_doubt_and_no_refusal(broker: MemoryBroker, venue: MemoryVenue, engine: Engine) -> None:
    async with owning(broker, venue):
        venue.is_silent = True
        await engine.asks(opened("c1"))
        await engine.has(is_report("c1", Open))
        venue.drops = True
        await engine.asks(opened("c2"), sequence=2, lives_ns=SECOND_NS // 20)
        await engine.has(lambda data: isinstance(data, RequestNeverReceived) and data.key.cid == "c2")
    kinds = [type(data).__name__ for data in await engine.data()]
    assert kinds == ["RequestInDoubt", "OrderReceived", "RequestInDoubt", "RequestNeverReceived"]


async def test_a_refusal_by_the_venue_is_an_answer(broker: MemoryBroker, venue: MemoryVenue, engine: Engine) -> None:
    async with owning(broker, venue):
        venue.refuses = True
        await engine.asks(opened("c1"))
        await engine.has(is_report("c1", OpenFailed))


async def test_a_cancel_is_carried_and_one_in_doubt_resolved(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        await engine.asks(opened("c1"), opened("c2"))
        await engine.has(is_report("c2", Open))
        await engine.asks(cancel_of("c1"), sequence=2)
        await engine.has(lambda data: isinstance(data, CancelAnswered) and data.key.cid == "c1" and not data.error)
        venue.is_silent = True
        await engine.asks(cancel_of("c2"), sequence=3, lives_ns=SECOND_NS // 20)
        await engine.has(is_report("c2", Cancelled))
    assert venue.cancelled == ["c1", "c2"]


async def test_what_is_told_of_one_cancel_says_nothing_of_another_of_the_same_order(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue, is_stopped=False):
        await engine.asks(opened("c1"))
        await engine.has(is_report("c1", Open))
        venue.gate.clear()
        await engine.asks(cancel_of("c1"), sequence=2, lives_ns=SECOND_NS // 20)
        await eventually(lambda: venue.cancelled == ["c1"])
        (late,) = await engine.asks(cancel_of("c1"), sequence=3, lives_ns=-1)
        assert late.outcome is RequestOutcome.EXPIRED
    async with owning(broker, venue, instance="execution-2"), asyncio.timeout(10):
        await engine.has(is_report("c1", Cancelled))
    assert venue.cancelled == ["c1"]


async def test_an_order_whose_time_is_over_is_refused_and_told_as_never_received(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        (answer,) = await engine.asks(opened("c1"), lives_ns=-1)
        assert answer.outcome is RequestOutcome.EXPIRED
        await engine.has(lambda data: isinstance(data, RequestNeverReceived) and data.key.cid == "c1")
        (again,) = await engine.asks(opened("c1"))
        assert again.outcome is RequestOutcome.REPEATED, "it is over for good"
    assert venue.submitted == []


async def test_an_engine_of_an_older_epoch_is_refused_and_its_order_not_ended(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        await engine.asks(opened("c1"), epoch=9)
        (answer,) = await engine.asks(opened("c2"), epoch=8, sequence=2)
        assert answer.outcome is RequestOutcome.STALE_EPOCH
        await engine.has(is_report("c1", Open))
    async with owning(broker, venue, instance="execution-2"):
        (answer,) = await engine.asks(opened("c3"), epoch=8, sequence=3)
        assert answer.outcome is RequestOutcome.STALE_EPOCH, "the next owner knows the epoch, too"
    assert venue.submitted == ["c1"]
    results = [record for record in await engine.records() if isinstance(record, RequestResult)]
    assert [result.outcome for result in results] == [RequestOutcome.STALE_EPOCH] * 2
    assert not any(isinstance(data, RequestNeverReceived) for data in await engine.data())


async def test_who_asks_about_an_order_that_never_came_hears_so_and_it_cannot_come_later(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    async with owning(broker, venue):
        (answer,) = await engine.asks(ResolveOrder(opened("c1").key))
        assert answer.outcome is RequestOutcome.NEVER_RECEIVED
        await engine.has(lambda data: isinstance(data, RequestNeverReceived) and data.key.cid == "c1")
        (late,) = await engine.asks(opened("c1"))
        assert late.outcome is RequestOutcome.REPEATED
        (known,) = await engine.asks(opened("c2"), sequence=2)
        await engine.has(is_report("c2", Open))
        assert await engine.asks(ResolveOrder(opened("c2").key)) == (known,)
    assert venue.submitted == ["c2"]


async def test_who_is_not_the_owner_stays_silent(broker: MemoryBroker, venue: MemoryVenue, engine: Engine) -> None:
    async with owning(broker, venue), owning(broker, venue, instance="execution-2") as standby:
        assert standby.leases() == []
        await engine.asks(opened("c1"))
        await engine.has(is_report("c1", Open))
        assert [name for name, _ in await owners(engine.bus, ACCOUNT)] == ["execution-1"]
    async with owning(broker, venue, is_stopped=False):
        pass
    with pytest.raises(BusUnavailable):
        await engine.asks(opened("c2"), sequence=2)
    assert venue.submitted == ["c1"]


async def test_fills_are_told_once_whoever_owns_the_account(
    broker: MemoryBroker, venue: MemoryVenue, engine: Engine
) -> None:
    venue.fills = [fill("t1"), fill("t2")]
    for instance in ("execution-1", "execution-2"):
        async with owning(broker, venue, instance=instance):
            await engine.has(lambda data: isinstance(data, TradeReceived) and data.trade.id == venue.fills[-1].id)
            venue.fills.append(fill(f"more-{instance}"))
            await engine.has(lambda data: isinstance(data, TradeReceived) and data.trade.id == venue.fills[-1].id)
    told = [data.trade.id for data in await engine.data() if isinstance(data, TradeReceived)]
    assert told == [trade.id for trade in venue.fills]


async def test_keys_of_events_only_grow(broker: MemoryBroker, venue: MemoryVenue, engine: Engine) -> None:
    for number in (1, 2):
        async with owning(broker, venue, instance=f"execution-{number}"):
            await engine.asks(opened(f"c{number}"), sequence=number)
            await engine.has(is_report(f"c{number}", Open))
    keys = [(each.cause, each.ordinal) for each in await engine.records() if isinstance(each, AccountEvent)]
    assert keys == sorted(set(keys))
    assert keys[0] > (0, 0)
