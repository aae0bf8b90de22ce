from collections.abc import Callable
from functools import partial

import pytest

from services.market.flow import FlowParams, LoopedFlow, OrderFlow
from services.market.generated import LOOP_ABOVE_EVENTS_PER_S, GeneratedFeed, make_flow
from services.market.publisher import ShardPublisher
from tests.support.market_bus import BatchListener, KeptLog, Tasks, identity_of, market_metrics
from tests.support.market_instruments import simulated_index
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.core.market.event import BookL1, MarketEvent
from tradebus.core.model.identifiers import ExchangeId

ALPHA = ExchangeId.SIM_ALPHA
INDEX = simulated_index()
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
MakeFeed = Callable[..., GeneratedFeed]


class SetClock:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def make_feed(bus: MemoryBus, tasks: Tasks, log: KeptLog, clock: SetClock) -> MakeFeed:
    def make(rate: float = 1_000) -> GeneratedFeed:
        publisher = ShardPublisher(bus, ALPHA.value, 0, identity_of(INDEX), market_metrics())
        flow = partial(make_flow, INDEX, ALPHA, 1, FlowParams(events_per_s=rate))
        return GeneratedFeed(ALPHA, INDEX, flow, publisher, tasks.spawn, log.bound, clock)

    return make


def contents(events: list[MarketEvent]) -> list[object]:
    return [(event.time_exchange_ns, event.instrument, event.sequence, event.data) for event in events]


async def published(listener: BatchListener, count: int) -> None:
    await eventually(lambda: len(listener.events) >= count, f"{count} events")


async def test_what_is_due_by_the_clock_is_published_and_nothing_else(
    make_feed: MakeFeed, other_bus: MemoryBus, clock: SetClock
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    feed = make_feed()
    await feed.start()
    expected = OrderFlow(INDEX, ALPHA, 1, FlowParams(events_per_s=1_000), start_ns=START_NS)
    expected.resume_at(START_NS)
    due: list[MarketEvent] = []
    for _ in range(5):
        clock.now_ns += 200 * MS
        due.extend(expected.next(clock.now_ns))
        await published(listener, len(due))
        assert contents(listener.events) == contents(due)
    assert len(due) > 300
    assert {event.time_received_ns for event in listener.events[-10:]} == {clock.now_ns}
    assert not listener.markers
    assert feed.status()["connected"] is True
    await feed.stop()
    assert feed.positions()[0].sequence == len(due)
    assert feed.status()["connected"] is False


@pytest.mark.parametrize("moved_ms", [5_000, -5_000])
async def test_a_clock_that_jumps_is_told_as_a_lost_feed_and_the_flow_goes_on_from_there(
    make_feed: MakeFeed, other_bus: MemoryBus, clock: SetClock, log: KeptLog, moved_ms: int
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    feed = make_feed()
    await feed.start()
    clock.now_ns += 100 * MS
    await eventually(lambda: len(listener.events) > 10)
    clock.now_ns += moved_ms * MS
    await eventually(lambda: listener.markers)
    clock.now_ns += 100 * MS
    await eventually(lambda: listener.items[-1] not in listener.markers)
    await feed.stop()
    (marker,) = listener.markers
    assert f"{moved_ms} ms" in marker.reason
    place = listener.items.index(marker)
    first = listener.items[place + 1]
    assert isinstance(first, MarketEvent)
    assert isinstance(first.data, BookL1)
    assert first.time_exchange_ns == START_NS + (100 + moved_ms) * MS
    for instrument in {event.instrument for event in listener.events}:
        numbers = [event.sequence for event in listener.events if event.instrument == instrument]
        assert numbers == list(range(1, len(numbers) + 1))
    assert feed.status()["pauses"] == 1
    assert len(log.of("generator paused")) == 1


async def test_nothing_is_published_after_a_stop(make_feed: MakeFeed, other_bus: MemoryBus, clock: SetClock) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    feed = make_feed()
    await feed.start()
    clock.now_ns += 100 * MS
    await eventually(lambda: len(listener.events) > 10)
    await feed.stop()
    published = feed.positions()[0].sequence
    clock.now_ns += 500 * MS
    await eventually(lambda: len(listener.items) == published)
    await feed.stop()
    assert feed.positions()[0].sequence == published


async def test_a_fast_flow_keeps_its_rate_exactly(make_feed: MakeFeed, other_bus: MemoryBus, clock: SetClock) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    feed = make_feed(rate=20_000)
    await feed.start()
    for _ in range(10):
        clock.now_ns += 100 * MS
        count = (clock.now_ns - START_NS) // 50_000
        await published(listener, count)
    await feed.stop()
    assert len(listener.events) == 20_001


def test_only_fast_flows_repeat_themselves() -> None:
    slow = make_flow(INDEX, ALPHA, 1, FlowParams(events_per_s=LOOP_ABOVE_EVENTS_PER_S), START_NS)
    fast = make_flow(INDEX, ALPHA, 1, FlowParams(events_per_s=LOOP_ABOVE_EVENTS_PER_S + 1), START_NS)
    assert isinstance(slow, OrderFlow)
    assert isinstance(fast, LoopedFlow)
