"""Requests to venue accounts leave when they are durable, again while they live, and are asked about afterwards."""

import asyncio

import pytest

from services.engine import outbox as outbox_module
from services.engine.outbox import TTL_NS, Outbox
from tests.support.builders import ALPHA, BETA, account_event, cancel_of, open_request, order_in, order_told
from tests.support.memory_bus import bus, other_bus
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Request
from tradebus.bus.topology import topology
from tradebus.core.engine.audit.tick import NO_ERRORS, AuditTick, Origin, RequestsDecided
from tradebus.core.engine.event import ClockAdvanced, RequestNeverReceived
from tradebus.core.model.identifiers import ExchangeIndex, OrderId, StrategyId
from tradebus.core.model.order import (
    Open,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)
from tradebus.core.model.side import Side
from tradebus.wire.codec.account_journal import Intent, RequestOutcome, RequestResult
from tradebus.wire.codec.exec import (
    OrderAnswer,
    OrderReply,
    OrderRequests,
    ResolveOrder,
    order_reply_to_bytes,
    order_requests_from_bytes,
)
from tradebus.wire.integrity import checked_headers, verify_checksum

__all__ = ["bus", "other_bus"]

T0 = 1_764_000_000_000_000_000
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look sends all that waits, and no reply is waited for."""
    monkeypatch.setattr(outbox_module, "RESEND_S", 0.001)
    monkeypatch.setattr(outbox_module, "RESOLVE_S", 0.001)


@pytest.fixture
def broker() -> MemoryBroker:
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ("alpha",)))
    return broker


class World:
    def __init__(self, bus: MemoryBus) -> None:
        self.now_ns = T0
        self.outbox = Outbox(bus, "demo", {ALPHA: "alpha"}, clock=lambda: self.now_ns)
        self.heard: list[OrderRequests] = []
        self.outcome: RequestOutcome | None = None
        self.replies = False

    def on_request(self, request: Request) -> None:
        verify_checksum(request.payload, request.headers)
        asked = order_requests_from_bytes(request.payload)
        self.heard.append(asked)
        if self.replies:
            answers = tuple(OrderAnswer(each.key.cid, 5, self.outcome, "") for each in asked.requests)
            payload = order_reply_to_bytes(OrderReply("alpha", "execution-1", 1, answers))
            request.reply(payload, checked_headers(payload))

    def take(self, sequence: int, *requests: OrderRequestOpen | OrderRequestCancel) -> None:
        opens = tuple(each for each in requests if isinstance(each, OrderRequestOpen))
        cancels = tuple(each for each in requests if isinstance(each, OrderRequestCancel))
        decided = RequestsDecided(Origin.ALGO, StrategyId("s"), cancels, opens, (), (), (), ())
        self.outbox.take(AuditTick(sequence, sequence, ClockAdvanced(), (decided,), NO_ERRORS), 7)

    async def sends(self) -> list[OrderRequests]:
        """Let it send what is due, and return what was heard of that."""
        begin = len(self.heard)
        for waiting in self.outbox._waiting.values():
            waiting.sent_s = 0.0
        await self.outbox.send_due()
        return self.heard[begin:]


@pytest.fixture
async def world(bus: MemoryBus, other_bus: MemoryBus) -> World:
    made = World(bus)
    await other_bus.respond("exec.alpha", made.on_request)
    return made


def opened(cid: str, exchange: ExchangeIndex = ALPHA) -> OrderRequestOpen:
    request = open_request(cid, Side.BUY, 100, 1)
    assert request.key.exchange == ALPHA
    if exchange == ALPHA:
        return request
    key = type(request.key)(exchange, request.key.instrument, request.key.strategy, request.key.cid)
    return OrderRequestOpen(key, request.side, request.price, request.quantity, request.kind, request.time_in_force)


async def test_nothing_leaves_before_the_tick_is_durable(world: World) -> None:
    world.take(3, opened("c1"))
    world.take(4, opened("c2"), cancel_of("c0"))
    assert await world.sends() == []
    world.outbox.durable(3)
    (asked,) = await world.sends()
    assert asked == OrderRequests("demo", 7, 3, T0 + TTL_NS, (opened("c1"),))
    world.outbox.durable(4)
    assert {asked.sequence: asked.requests for asked in await world.sends()} == {
        3: (opened("c1"),),
        4: (cancel_of("c0"), opened("c2")),
    }


async def test_requests_to_other_accounts_are_left_alone(world: World) -> None:
    world.take(1, opened("c1", BETA))
    world.outbox.durable(1)
    assert world.outbox.pending == 0
    assert await world.sends() == []


async def test_it_is_sent_again_until_the_journal_holds_the_intent(world: World) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    world.replies = True
    for _ in range(3):
        (asked,) = await world.sends()
        assert asked.requests == (opened("c1"),), "a reply alone does not end it"
    world.outbox.note(Intent("demo", 7, 1, T0 + TTL_NS, opened("c1")))
    assert world.outbox.pending == 0
    assert await world.sends() == []


async def test_when_its_time_is_over_it_is_asked_about_and_never_sent_again(world: World) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    world.now_ns = T0 + TTL_NS + 1
    for _ in range(2):
        (asked,) = await world.sends()
        assert asked.requests == (ResolveOrder(opened("c1").key),)
    never = RequestNeverReceived(opened("c1").key, RequestKind.OPEN, "it never reached the owner")
    world.outbox.note(account_event(never, cause=9, ordinal=1))
    assert world.outbox.pending == 0


async def test_a_question_about_what_is_known_already_is_ended_by_its_reply(world: World) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    world.now_ns = T0 + TTL_NS + 1
    world.replies = True
    world.outcome = RequestOutcome.STALE_EPOCH
    await world.sends()
    assert world.outbox.pending == 1, "another engine's epoch says nothing about the order"
    world.outcome = None
    await world.sends()
    assert world.outbox.pending == 0


@pytest.mark.parametrize(("outcome", "left"), [(RequestOutcome.EXPIRED, 0), (RequestOutcome.STALE_EPOCH, 1)])
async def test_a_refusal_in_the_journal_ends_it_but_for_a_stale_epoch(
    world: World, outcome: RequestOutcome, left: int
) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    world.outbox.note(RequestResult(opened("c1").key, 7, outcome, ""))
    assert world.outbox.pending == left


async def test_a_report_of_the_order_ends_it(world: World) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    told = order_told(order_in(Open(OrderId("1"), 1, opened("c1").quantity), cid="c1"), cause=1, ordinal=1)
    world.outbox.note(told)
    assert world.outbox.pending == 0


async def test_nobody_there_is_no_failure(world: World, broker: MemoryBroker) -> None:
    world.take(1, opened("c1"))
    world.outbox.durable(1)
    broker.start_outage()
    await world.outbox.send_due()
    broker.end_outage()
    assert world.outbox.pending == 1
    assert [asked.requests for asked in await world.sends()] == [(opened("c1"),)]


async def test_an_owner_that_does_not_reply_holds_up_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for its reply would hold up what becomes durable meanwhile, for a quarter of a second each."""
    monkeypatch.setattr(outbox_module, "RESEND_S", PATIENCE_S)
    running = asyncio.create_task(world.outbox.run())
    try:
        for sequence in (3, 4, 5):
            world.take(sequence, opened(f"c{sequence}"))
            world.outbox.durable(sequence)
            async with asyncio.timeout(PATIENCE_S / 2):
                while len(world.heard) < sequence - 2:
                    await asyncio.sleep(0)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [asked.sequence for asked in world.heard] == [3, 4, 5]
