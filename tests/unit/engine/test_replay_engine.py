"""The engine on a replay: credit, what is lost and asked for again, its end, and what makes it fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.engine import replay as replay_module
from services.engine.recovery import CannotRecover
from services.engine.replay import WINDOW
from services.market.recording import read_recordings
from services.replaying.settings import replay_settings
from tests.support.engine_service import (
    BETA,
    RunningEngine,
    TestMarket,
    check_hashes,
    engine_settings,
    memory_broker,
    on_memory,
    read_journal,
    running_engine,
    ticks_of,
    turns,
)
from tests.support.replaying import moving_recording
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Message
from tradebus.config import Mode, Settings
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.event import EngineStarted, FeedEnded
from tradebus.core.market.event import MarketEvent
from tradebus.journal import writer as writer_module
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects
from tradebus.wire.codec.flow import Credit, credit_from_bytes
from tradebus.wire.codec.market import MarketBatchHead, market_batch_join, market_item_frame

EVENTS = 300


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "CREDIT_PERIOD_S", 0.005)
    monkeypatch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.02)
    monkeypatch.setattr(writer_module, "RETRY_MAX_S", 0.05)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return moving_recording(tmp_path, EVENTS)


@pytest.fixture
def settings(recorded: Path) -> Settings:
    return replay_settings([recorded], "run", hash_every_batch=True)


@pytest.fixture
def events(recorded: Path, settings: Settings) -> list[MarketEvent]:
    return list(read_recordings([recorded], settings.indexed_instruments()))


@pytest.fixture
def broker(settings: Settings) -> MemoryBroker:
    return memory_broker(settings)


@pytest.fixture
async def engine(settings: Settings, broker: MemoryBroker) -> AsyncIterator[RunningEngine]:
    async with running_engine(settings, on_memory(broker)) as engine:
        yield engine


class Feed:
    """Plays the feed by hand, and keeps what the engine says to it."""

    def __init__(self, bus: MemoryBus, events: list[MarketEvent], fingerprint: str) -> None:
        self.credits: list[Credit] = []
        self._bus = bus
        self._events = events
        self._fingerprint = fingerprint

    async def listen(self, journal_id: str) -> None:
        await self._bus.subscribe(subjects.flow(journal_id), self._on_credit)

    def _on_credit(self, message: Message) -> None:
        self.credits.append(credit_from_bytes(message.payload))

    @property
    def asked(self) -> list[int]:
        """Return from where the engine wanted events again, in order."""
        return [credit.resend_from for credit in self.credits if credit.resend_from]

    def send(self, first: int, last: int) -> None:
        """Send events, numbered from 1, in one batch."""
        is_last = last == len(self._events)
        head = MarketBatchHead(
            "market-1",
            1,
            subjects.REPLAY,
            0,
            first,
            self._fingerprint,
            is_last,
            len(self._events) if is_last else 0,
        )
        frames = [market_item_frame(event) for event in self._events[first - 1 : last]]
        self._bus.publish(subjects.md_replay(), market_batch_join(head, frames))

    def send_raw(self, payload: bytes) -> None:
        self._bus.publish(subjects.md_replay(), payload)


@pytest.fixture
async def feed(engine: RunningEngine, other_bus: MemoryBus, events: list[MarketEvent]) -> Feed:
    feed = Feed(other_bus, events, engine.runtime.settings.indexed_instruments().fingerprint())
    await feed.listen(engine.journal_id)
    return feed


async def received(engine: RunningEngine, count: int) -> None:
    await eventually(lambda: engine.status["events_received"] == count, f"{count} events")


async def test_the_feed_is_granted_a_window_and_told_what_arrived(engine: RunningEngine, feed: Feed) -> None:
    await eventually(lambda: feed.credits)
    assert feed.credits[0] == Credit("run-1", WINDOW, 0, 0)
    feed.send(1, 64)
    await eventually(lambda: feed.credits[-1].received_through == 64)
    assert feed.asked == []


async def test_a_whole_feed_ends_it_when_everything_is_on_disk(
    engine: RunningEngine, feed: Feed, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    feed.send(1, 250)
    await received(engine, 250)
    assert not engine.status["is_finished"]
    broker.lose_next_append(subjects.audit(engine.journal_id))
    feed.send(251, EVENTS)
    await received(engine, EVENTS)
    assert not engine.status["is_finished"], "the last batch is not on disk"
    await eventually(lambda: engine.status["is_finished"])
    batches = await read_journal(other_bus, engine.journal_id)
    ticks = ticks_of(batches)
    assert isinstance(ticks[0].event, EngineStarted)
    assert isinstance(ticks[-1].event, FeedEnded)
    assert check_hashes(batches, Replica(load_data)) == len(batches)
    await eventually(lambda: feed.credits[-1].received_through == EVENTS)


async def test_a_feed_without_events_begins_and_ends(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus
) -> None:
    async with running_engine(settings, on_memory(broker)) as engine:
        empty = Feed(other_bus, [], engine.runtime.settings.indexed_instruments().fingerprint())
        empty.send(1, 0)
        await eventually(lambda: engine.status["is_finished"])
        ticks = ticks_of(await read_journal(other_bus, engine.journal_id))
        assert isinstance(ticks[0].event, EngineStarted)
        assert isinstance(ticks[-1].event, FeedEnded)
        assert not any(isinstance(tick.event, MarketEvent) for tick in ticks)


async def test_what_is_lost_is_asked_for_once_however_much_follows(engine: RunningEngine, feed: Feed) -> None:
    feed.send(1, 10)
    for first in range(21, 200, 10):
        feed.send(first, first + 9)
    await eventually(lambda: feed.asked)
    await turns(20)
    assert feed.asked == [11]
    assert engine.status["events_received"] == 10
    feed.send(11, 150)
    await received(engine, 150)
    feed.send(201, 210)
    await eventually(lambda: len(feed.asked) == 2)
    assert feed.asked == [11, 151]


async def test_what_comes_twice_is_processed_once(engine: RunningEngine, feed: Feed) -> None:
    feed.send(1, 20)
    feed.send(1, 20)
    feed.send(15, 30)
    feed.send(1, 5)
    await received(engine, 30)
    assert engine.status["market_events"] == 30


async def test_when_nothing_comes_any_more_it_asks_again_and_again(engine: RunningEngine, feed: Feed) -> None:
    await eventually(lambda: len(feed.asked) >= 2)
    assert set(feed.asked) == {1}
    feed.send(1, 20)
    await received(engine, 20)
    await eventually(lambda: 21 in feed.asked)


async def test_while_the_journal_is_behind_nothing_is_granted_or_asked_for(
    engine: RunningEngine, feed: Feed, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.engine.journal.BEHIND_TICKS", 50)
    feed.send(1, 1)
    await received(engine, 1)
    # Appends come to nothing, but the feed can still be heard.
    for _ in range(10_000):
        broker.lose_next_append(subjects.audit(engine.journal_id))
    for first in range(2, EVENTS, 10):
        feed.send(first, min(first + 9, EVENTS))
    await turns(50)
    so_far = engine.status["events_received"]
    assert so_far < EVENTS
    assert feed.asked == []
    broker._lost_appends.clear()
    await received(engine, EVENTS)
    await eventually(lambda: engine.status["is_finished"])


async def test_a_malformed_batch_is_kept_and_asked_for_again(engine: RunningEngine, feed: Feed) -> None:
    feed.send(1, 10)
    feed.send_raw(b"\xff\x00")
    feed.send(21, 30)
    await eventually(lambda: feed.asked == [11])
    assert engine.status["refused"] == engine.status["dead_letters"] == 1
    feed.send(11, 30)
    await received(engine, 30)


async def test_an_event_that_does_not_fit_is_kept_and_the_next_one_processed() -> None:
    # Recordings of two exchanges cannot be replayed yet; the engine would not mind.
    two = engine_settings("replay").model_copy(update={"mode": Mode.REPLAY})
    broker = memory_broker(two)
    bus = MemoryBus(broker)
    async with running_engine(two, on_memory(broker)) as engine:
        index = two.indexed_instruments()
        market = TestMarket(bus, index)
        # Every number is in range, but the third one's instrument is not on its exchange.
        events = market.trades(5)
        events[2] = TestMarket(bus, index, BETA).trade(0)
        feed = Feed(bus, events, index.fingerprint())
        feed.send(1, 5)
        await received(engine, 5)
        status = engine.status
        assert (status["refused"], status["dead_letters"], status["market_events"]) == (1, 1, 4)
        await eventually(lambda: engine.status["is_finished"])
    await bus.close(0.1)


async def test_a_tick_that_cannot_be_recorded_ends_it(
    engine: RunningEngine, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.send(1, 5)
    await received(engine, 5)
    monkeypatch.setattr("services.engine.journal.ITEM_BYTES_MAX", 10)
    feed.send(6, 10)
    await asyncio.wait_for(engine.runtime.stopping.wait(), 5)
    assert engine.runtime.failure is not None
    assert "ItemTooLarge" in engine.runtime.failure
    before = engine.status["market_events"]
    feed.send(11, EVENTS)
    await turns(20)
    assert engine.status["market_events"] == before
    assert not engine.status["is_finished"]


async def feed_of(engine: RunningEngine, bus: MemoryBus, events: list[MarketEvent]) -> Feed:
    feed = Feed(bus, events, engine.runtime.settings.indexed_instruments().fingerprint())
    await feed.listen(engine.journal_id)
    return feed


async def begin(
    settings: Settings, broker: MemoryBroker, bus: MemoryBus, events: list[MarketEvent], last: int
) -> dict[str, Any]:
    """Let an engine take in the feed up to an event; return what it said at the end."""
    async with running_engine(settings, on_memory(broker)) as engine:
        feed = await feed_of(engine, bus, events)
        feed.send(1, last)
        await received(engine, last)
        await eventually(lambda: engine.status["durable_sequence"] == engine.status["sequence"])
        return engine.status


@pytest.mark.parametrize("cut", [1, 130, EVENTS])
async def test_it_goes_on_in_its_journal_as_if_it_had_never_ended(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, events: list[MarketEvent], cut: int
) -> None:
    before = await begin(settings, broker, other_bus, events, cut)
    async with running_engine(settings, on_memory(broker)) as engine:
        feed = await feed_of(engine, other_bus, events)
        await eventually(lambda: feed.asked)
        assert feed.asked[0] == cut, "the last journaled event, to see that the feed is the same"
        assert engine.status["market_events"] == before["market_events"]
        feed.send(cut, EVENTS)
        await eventually(lambda: engine.status["is_finished"])
        status = engine.status
    whole = memory_broker(settings)
    bus = MemoryBus(whole)
    expected = await begin(settings, whole, bus, events, EVENTS)
    same = ("sequence", "digest", "hash", "orders", "fills", "cancels", "market_events", "pnl_realised", "epoch")
    assert {name: status[name] for name in same} == {name: expected[name] for name in same}
    ticks, wanted = [
        [canonical_text(tick) for tick in ticks_of(await read_journal(each, engine.journal_id))]
        for each in (other_bus, bus)
    ]
    assert ticks == wanted
    await bus.close(0.1)


async def test_another_feed_than_the_one_it_began_with_ends_it(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, events: list[MarketEvent]
) -> None:
    await begin(settings, broker, other_bus, events, 10)
    async with running_engine(settings, on_memory(broker)) as engine:
        feed = await feed_of(engine, other_bus, [*events[:9], events[11]])
        feed.send(10, 10)
        await asyncio.wait_for(engine.runtime.stopping.wait(), 5)
        assert engine.runtime.failure is not None
        assert "event 10 of the feed: expected" in engine.runtime.failure


async def test_a_replay_that_was_begun_otherwise_is_refused(
    settings: Settings, broker: MemoryBroker, other_bus: MemoryBus, events: list[MarketEvent]
) -> None:
    await begin(settings, broker, other_bus, events, 10)
    fewer = settings.engine.model_copy(update={"strategies": settings.engine.strategies[:1]})
    with pytest.raises(CannotRecover, match="this replay was begun with other strategies; it goes on only as it began"):
        async with running_engine(settings.model_copy(update={"engine": fewer}), on_memory(broker)):
            pass
