"""A lease when its holder is paused, its renewals hang, or their answers are lost; how the board ages what it knows."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.waiting import eventually
from tradebus.bus.errors import AppendUncertain, PermissionDenied
from tradebus.bus.interface import Bucket, Subscription
from tradebus.bus.lease_board import UNSEEN_S, LeaseBoard
from tradebus.bus.leases import Lease, holder_of
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Entry, EntryHandler
from tradebus.bus.topology import topology

TTL_S = 3.0
RENEW_S = 0.01


class Clock:
    """Monotonic seconds that a test sets forward."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FaultyBucket(Bucket):
    """A bucket whose updates hang, lose their answer, or are refused, as told."""

    def __init__(self, inner: Bucket) -> None:
        self._inner = inner
        self.updates = 0
        self.hanging = False
        self.lost_answers = 0
        self.is_denied = False
        self.during_update: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        return self._inner.name

    async def get(self, key: str) -> Entry | None:
        return await self._inner.get(key)

    async def put(self, key: str, value: bytes) -> int:
        return await self._inner.put(key, value)

    async def update(self, key: str, value: bytes, expected_revision: int) -> int:
        self.updates += 1
        if self.is_denied:
            raise PermissionDenied(key, "publish")
        if self.hanging:
            await asyncio.Event().wait()
        revision = await self._inner.update(key, value, expected_revision)
        self.during_update()
        if self.lost_answers:
            self.lost_answers -= 1
            raise AppendUncertain(key, "no answer")
        return revision

    async def delete(self, key: str, expected_revision: int | None = None) -> None:
        await self._inner.delete(key, expected_revision)

    async def watch(self, handler: EntryHandler, keys: str = ">") -> Subscription:
        return await self._inner.watch(handler, keys)


class World:
    def __init__(self) -> None:
        self.server_clock = Clock()
        self.broker = MemoryBroker(clock=self.server_clock)
        self.broker.provision(topology((), ()))
        self.bus = MemoryBus(self.broker)
        self.clock = Clock()
        self.bucket = FaultyBucket(self.bus.bucket("leases"))
        self.lost: list[str] = []
        self.lease = self.holder("a")

    def holder(self, name: str) -> Lease:
        return Lease(self.bucket, "key", name, self.lost.append, ttl_s=TTL_S, renew_period_s=RENEW_S, clock=self.clock)

    async def renewed(self) -> None:
        """Return after another update."""
        before = self.bucket.updates
        await eventually(lambda: self.bucket.updates > before)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.lease.release()
    await made.bus.close(0.1)


async def test_a_paused_holder_finds_it_gone_before_anything_else(world: World) -> None:
    assert await world.lease.acquire()
    world.clock.now_s += TTL_S
    assert not world.lease.is_held, "at once, without asking anybody"
    await eventually(lambda: world.lost == ["not renewed within 3 s"])
    updates = world.bucket.updates
    assert await world.lease.acquire(), "it is free for whoever asks, us too"
    assert world.bucket.updates > updates


async def test_a_paused_holder_does_not_renew_what_is_over(world: World) -> None:
    assert await world.lease.acquire()
    before = await world.bucket.get("key")
    world.clock.now_s += TTL_S
    await eventually(lambda: world.lost == ["not renewed within 3 s"])
    assert await world.bucket.get("key") == before


async def test_every_renewal_counts_from_when_it_was_asked_for(world: World) -> None:
    assert await world.lease.acquire()
    for _ in range(3):
        world.clock.now_s += TTL_S - 1
        world.server_clock.now_s += TTL_S - 1
        assert world.lease.is_held
        await world.renewed()
        await world.renewed()
    assert world.lost == []


async def test_renewals_that_hang_do_not_hide_the_loss(world: World) -> None:
    assert await world.lease.acquire()
    world.bucket.hanging = True
    await world.renewed()
    world.clock.now_s += TTL_S
    assert not world.lease.is_held
    await eventually(lambda: world.lost == ["not renewed within 3 s"])


async def test_a_renewal_whose_answer_was_lost_is_recognised(world: World) -> None:
    assert await world.lease.acquire()
    world.bucket.lost_answers = 2
    await eventually(lambda: world.bucket.lost_answers == 0)
    await world.renewed()
    await world.renewed()
    world.clock.now_s += TTL_S - 1
    await world.renewed()
    assert world.lease.is_held
    assert world.lost == []


async def test_an_acquisition_whose_answer_was_lost_is_ours_at_the_next_attempt(world: World) -> None:
    world.bucket.lost_answers = 1
    with pytest.raises(AppendUncertain):
        await world.lease.acquire()
    assert not world.lease.is_held
    assert await world.lease.acquire()
    assert world.lost == []


async def test_an_answer_that_comes_too_late_is_none(world: World) -> None:
    world.bucket.during_update = lambda: setattr(world.clock, "now_s", world.clock.now_s + TTL_S)
    assert not await world.lease.acquire()
    assert not world.lease.is_held
    world.bucket.during_update = lambda: None
    assert await world.lease.acquire(), "it is still ours in the bucket"
    assert world.lost == []


async def test_a_user_that_may_not_hold_leases_is_told(world: World) -> None:
    world.bucket.is_denied = True
    with pytest.raises(PermissionDenied):
        await world.lease.wait()


async def test_a_board_forgets_what_was_not_renewed_even_if_nobody_tells_it(world: World) -> None:
    changes: list[int] = []
    board = LeaseBoard(world.bucket, ["key"], lambda: changes.append(1), clock=world.clock)
    await board.start()
    assert board.holders() == {}
    await world.bucket.put("key", b"b 1")
    await eventually(lambda: board.holders() == {"key": "b"})
    await world.bucket.put("key", b"b 1")
    assert len(changes) == 1, "a renewal is no change"
    world.clock.now_s += UNSEEN_S + 0.1
    assert board.holders() == {}
    await board.stop()


def test_a_holder_is_the_name_before_the_number() -> None:
    assert holder_of(Entry("leases", "key", b"execution-1 ab12", 1)) == "execution-1"
    assert holder_of(Entry("leases", "key", b"execution-1", 1)) == "execution-1"
    assert holder_of(Entry("leases", "key", None, 2)) is None
