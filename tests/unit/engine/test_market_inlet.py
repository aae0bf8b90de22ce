"""Market data come off the bus in order, whatever is lost, malformed or too much, and nothing gets stuck."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from services.engine import market_inlet
from services.engine.market_inlet import EVENTS_PER_TURN, MarketInlet
from services.engine.shards import LOSS_GRACE_NS
from services.runtime.pressure import Pressure
from tests.support.builders import ALPHA, BETA, BETA_BTC, BTC, ETH, usual_index
from tests.support.engine_service import TestMarket, turns
from tests.support.market_bus import KeptLog, Tasks
from tests.support.waiting import eventually
from tradebus.bus.interface import PENDING_MESSAGES_MAX
from tradebus.bus.memory import MemoryBus
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import BookL1, MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire import subjects
from tradebus.wire.codec.market import MarketItem

SILENCE_NS = 10 * LOSS_GRACE_NS
INDEX = usual_index()


class Loop:
    """Keeps what is processed; an instrument may be refused."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self.encoded: list[bytes | None] = []
        self.refuses: int | None = None

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object | None:
        if isinstance(event, MarketEvent) and event.instrument == self.refuses:
            raise InvalidEvent("no such instrument here")
        self.events.append(event)
        self.encoded.append(event_bytes)
        return event

    def step_run(self, events: list[MarketEvent], encoded: list[bytes], begin: int) -> int:
        for place in range(begin, len(events)):
            if events[place].instrument == self.refuses:
                return place
            self.step(events[place], encoded[place])
        return len(events)


class Journal:
    """Is behind when a test says so, or when so many ticks were made and not written."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.is_stuck = False
        self.room: int | None = None
        self.pressure = Pressure(lambda: self.is_behind)

    @property
    def is_behind(self) -> bool:
        return self.is_stuck or (self.room is not None and len(self._loop.events) >= self.room)

    def unstick(self) -> None:
        self.is_stuck = False
        self.pressure.eased()

    def make_room(self, ticks: int) -> None:
        assert self.room is not None
        self.room += ticks
        self.pressure.eased()


class Fed:
    """An inlet on a memory bus, and the market that feeds it."""

    def __init__(self, bus: MemoryBus, other_bus: MemoryBus, log: KeptLog) -> None:
        self.bus = bus
        self.loop = Loop()
        self.journal = Journal(self.loop)
        self.now_ns = 0
        self.rejected: list[tuple[str, bytes, str]] = []
        self.log = log
        self.inlet = MarketInlet(
            bus,
            INDEX,
            self.loop,
            self.journal,
            lambda *letter: self.rejected.append(letter),
            SILENCE_NS,
            lambda: self.now_ns,
            log.bound,
        )
        self.market = TestMarket(other_bus, INDEX)

    def other_market(self, **who: object) -> TestMarket:
        return TestMarket(self.market.bus, INDEX, **who)  # type: ignore[arg-type]

    async def settled(self) -> list[EngineEvent]:
        """Return everything that was processed, once nothing is under way any more."""
        before = self._state()
        await turns(10)
        while (now := self._state()) != before:
            before = now
            await turns(10)
        return self.loop.events

    def _state(self) -> tuple[int, int, int]:
        inbox = sum(subscription.pending for subscription in self.bus.receivers)
        return len(self.loop.events), self.inlet.waiting, inbox

    def idle_after(self, passed_ns: int) -> None:
        self.now_ns += passed_ns
        self.inlet.idle()


@pytest.fixture
async def fed(bus: MemoryBus, other_bus: MemoryBus, tasks: Tasks, log: KeptLog) -> AsyncIterator[Fed]:
    fed = Fed(bus, other_bus, log)
    await fed.inlet.start()
    tasks.spawn(fed.inlet.run(), "market data")
    yield fed
    await fed.inlet.stop()


def sequences(events: list[EngineEvent], instrument: int = BTC) -> list[int]:
    return [event.sequence for event in events if isinstance(event, MarketEvent) and event.instrument == instrument]


def markers(events: list[EngineEvent]) -> list[EngineEvent]:
    return [event for event in events if not isinstance(event, MarketEvent)]


# ------------------------------------------------------------------------------ what comes in


async def test_events_are_processed_in_order_with_the_bytes_they_came_in(fed: Fed) -> None:
    market = fed.market
    sent: list[MarketItem] = [market.trade(), market.book(), market.reconnecting(), market.trade(ETH)]
    market.publish(*sent)
    assert await fed.settled() == sent
    assert all(fed.loop.encoded)


async def test_a_lost_batch_is_a_gap_before_any_later_data_of_the_instrument(fed: Fed) -> None:
    market = fed.market
    market.publish(market.trade(BTC), market.trade(ETH))
    market.batch(market.trade(BTC), market.trade(BTC))
    later = [market.trade(ETH), market.trade(BTC)]
    market.publish(*later)
    events = await fed.settled()
    assert events[2:] == [later[0], MarketGap(ALPHA, BTC, 2, 3), later[1]]
    assert (fed.inlet.gaps, fed.inlet.lost) == (1, 2)


async def test_a_lost_tail_is_told_by_the_next_heartbeat(fed: Fed) -> None:
    market = fed.market
    market.publish(market.trade())
    market.batch(market.trade(), market.trade())
    market.beat()
    await fed.settled()
    fed.idle_after(1)
    assert markers(fed.loop.events) == [MarketReconnecting(ALPHA, "the last 2 items of market-1 were lost")]


async def test_what_no_gap_tells_of_makes_the_whole_exchange_stale_after_a_while(fed: Fed) -> None:
    market = fed.market
    market.publish(market.trade(BTC), market.trade(ETH))
    market.batch(market.book(ETH))
    market.publish(market.trade(BTC))
    await fed.settled()
    fed.idle_after(LOSS_GRACE_NS)
    assert markers(fed.loop.events) == []
    fed.idle_after(1)
    assert markers(fed.loop.events) == [MarketReconnecting(ALPHA, "1 items of market-1 were lost")]


async def test_a_feed_that_falls_silent_is_told_once(fed: Fed) -> None:
    beta = fed.other_market(exchange=ExchangeId.SIM_BETA, publisher="market-2")
    fed.market.publish(fed.market.trade())
    beta.publish(beta.trade(BETA_BTC))
    await fed.settled()
    fed.now_ns += SILENCE_NS
    beta.beat()
    await fed.settled()
    fed.idle_after(1)
    fed.idle_after(1)
    assert markers(fed.loop.events) == [MarketReconnecting(ALPHA, "nothing heard of market-1")]
    fed.idle_after(SILENCE_NS)
    assert markers(fed.loop.events)[1:] == [MarketReconnecting(BETA, "nothing heard of market-2")]


async def test_a_restarted_market_service_takes_over(fed: Fed) -> None:
    fed.market.publish(*fed.market.trades(3))
    again = fed.other_market(epoch=2)
    again.publish(*again.trades(2))
    events = await fed.settled()
    assert markers(events) == [MarketReconnecting(ALPHA, "market-1 took over from market-1")]
    assert sequences(events) == [1, 2, 3, 1, 2]


async def test_a_replaced_publisher_is_refused_said_once_and_not_kept(fed: Fed) -> None:
    fed.market.publish(fed.market.trade())
    new = fed.other_market(publisher="market-2", epoch=2)
    new.publish(new.trade())
    for _ in range(3):
        fed.market.publish(fed.market.trade())
    events = await fed.settled()
    assert sequences(events) == [1, 1]
    assert fed.inlet.refused == 3
    assert fed.rejected == []
    assert len(fed.log.of("batches of a replaced publisher are refused")) == 1


async def test_malformed_messages_are_kept_with_the_reason_and_the_next_ones_taken(fed: Fed) -> None:
    market = fed.market
    bad = {
        b"\xff\x00garbage": "",
        market.batch(market.trade(), fingerprint="another index"): "expected the index",
    }
    for payload in bad:
        market.bus.publish(market.subject, payload)
    # A batch under another exchange's subject, of an exchange that nobody knows, and of a replay.
    market.bus.publish(subjects.md("sim_beta", 0), market.batch(market.trade()))
    market.bus.publish("md.nowhere.0", b"")
    good = market.trade(ETH)
    market.publish(good)
    market.bus.publish(subjects.hb("market", "market-1"), b"\xff")
    events = await fed.settled()
    assert events == [good]
    assert fed.inlet.refused == len(fed.rejected) == 5
    assert [letter[0] for letter in fed.rejected] == [
        market.subject,
        market.subject,
        "md.sim_beta.0",
        "md.nowhere.0",
        "hb.market.market-1",
    ]
    assert all(reason for _, _, reason in fed.rejected)
    assert "expected a batch of md.sim_beta.0, found one of md.sim_alpha.0" in fed.rejected[2][2]


async def test_an_event_that_the_engine_refuses_disturbs_nothing_else(fed: Fed) -> None:
    market = fed.market
    fed.loop.refuses = ETH
    market.publish(market.trade(BTC), market.trade(ETH), market.trade(BTC))
    assert sequences(await fed.settled()) == [1, 2]
    subject, payload, reason = fed.rejected[0]
    assert (subject, reason, fed.inlet.refused) == (market.subject, "no such instrument here", 1)
    assert payload


# ------------------------------------------------------------------------------ overload


async def test_heartbeats_that_overtake_batches_in_our_inbox_lose_nothing(fed: Fed) -> None:
    """Many batches wait while a heartbeat speaks of all of them: it must not make them count as lost, or as seen."""
    market = fed.market
    for _ in range(20):
        for _ in range(100):
            market.publish(*market.trades(16))
        market.beat()
        await asyncio.sleep(0)
        fed.inlet.idle()
    events = await fed.settled()
    fed.inlet.idle()
    assert sequences(events) == list(range(1, market.sent + 1))
    assert markers(events) == []
    assert (fed.inlet.gaps, fed.inlet.lost, fed.inlet.conflated) == (0, 0, 0)


async def test_while_the_journal_is_behind_trades_wait_and_books_are_conflated(fed: Fed) -> None:
    market = fed.market
    fed.journal.is_stuck = True
    sent: list[MarketEvent] = []
    for _ in range(5):
        batch = [market.trade(BTC), market.book(BTC), market.book(ETH), market.book(ETH)]
        sent += batch
        market.publish(*batch)
    assert await fed.settled() == []
    assert fed.inlet.waiting == 11
    assert fed.inlet.conflated == 9
    fed.journal.unstick()
    events = await fed.settled()
    assert sequences(events, BTC) == list(range(1, 11)), "every trade, and every book between two of them"
    assert sequences(events, ETH) == [10], "of the books only the newest"
    assert fed.inlet.waiting == 0
    direct = market.trade()
    market.publish(direct)
    assert (await fed.settled())[-1] == direct


async def test_what_waited_is_processed_although_nothing_comes_any_more(fed: Fed) -> None:
    fed.journal.is_stuck = True
    fed.market.publish(*fed.market.trades(3))
    await fed.settled()
    fed.journal.unstick()
    assert sequences(await fed.settled()) == [1, 2, 3]


async def test_gaps_and_lost_feeds_keep_their_place_among_what_waits(fed: Fed) -> None:
    market = fed.market
    market.publish(market.book(BTC))
    await fed.settled()
    fed.journal.is_stuck = True
    market.publish(market.book(BTC))
    market.batch(market.book(BTC))
    market.publish(market.book(BTC), market.reconnecting("x"), market.book(BTC))
    assert len(await fed.settled()) == 1, "a gap does not push what waits into a journal that is behind"
    fed.idle_after(SILENCE_NS + 1)
    assert len(await fed.settled()) == 1, "neither does silence"
    fed.journal.unstick()
    events = await fed.settled()
    assert [type(event) for event in events] == [
        MarketEvent,
        MarketEvent,
        MarketGap,
        MarketEvent,
        MarketReconnecting,
        MarketEvent,
        MarketReconnecting,
    ]
    assert sequences(events) == [1, 2, 4, 5]


async def test_a_journal_that_takes_a_little_at_a_time_gets_it_all_in_the_end(fed: Fed) -> None:
    market = fed.market
    fed.journal.room = 100
    for _ in range(200):
        market.publish(*market.trades(16))
    for _ in range(100):
        await turns(2)
        assert len(fed.loop.events) <= fed.journal.room + EVENTS_PER_TURN, "it is never pushed far beyond its limit"
        fed.journal.make_room(64)
    await fed.settled()
    fed.journal.make_room(10_000)
    assert sequences(await fed.settled()) == list(range(1, 3_201))
    assert fed.inlet.waiting == 0


async def test_no_more_is_taken_off_the_bus_than_may_wait_and_then_the_newest_is_lost(
    fed: Fed, monkeypatch: pytest.MonkeyPatch, bus: MemoryBus, other_bus: MemoryBus, log: KeptLog, tasks: Tasks
) -> None:
    await fed.inlet.stop()
    monkeypatch.setattr(market_inlet, "WAITING_MAX", 100)
    small = Fed(bus, other_bus, log)
    await small.inlet.start()
    tasks.spawn(small.inlet.run(), "market data")
    small.journal.is_stuck = True
    market = small.market
    for _ in range(PENDING_MESSAGES_MAX + 500):
        market.publish(*market.trades(4))
    await small.settled()
    assert 100 <= small.inlet.waiting <= 104
    small.journal.unstick()
    await eventually(lambda: not small.inlet.waiting and bus_is_empty(bus))
    later = market.trade()
    market.publish(later)
    events = await small.settled()
    gaps = [event for event in events if isinstance(event, MarketGap)]
    missing = sum(gap.last_missing - gap.first_missing + 1 for gap in gaps)
    assert missing == small.inlet.lost > 0
    assert len(sequences(events)) + missing == later.sequence
    await small.inlet.stop()


def bus_is_empty(bus: MemoryBus) -> bool:
    return not any(subscription.pending for subscription in bus.receivers)


async def test_when_the_bus_delivers_more_than_we_can_process_books_are_conflated(
    fed: Fed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_inlet, "LATE_MESSAGES", 50)
    market = fed.market
    for _ in range(300):
        market.publish(market.book(BTC), market.book(ETH))
    events = await fed.settled()
    assert fed.inlet.conflated > 0
    assert len(events) + fed.inlet.conflated == market.sent
    assert sequences(events, BTC)[-1] == sequences(events, ETH)[-1] == 300
    assert markers(events) == []


async def test_a_flood_leaves_everything_else_its_turn(fed: Fed) -> None:
    """The journal takes one batch a turn: more in a turn than that, and the busier we are the slower it would be."""
    market = fed.market
    for _ in range(200):
        market.publish(*market.trades(64))
    seen = [0]
    while seen[-1] < market.sent:
        await asyncio.sleep(0)
        seen.append(len(fed.loop.events))
    most = max(later - earlier for earlier, later in pairwise(seen))
    assert most <= EVENTS_PER_TURN + 64


async def test_stopping_while_the_journal_is_stuck_lets_go(fed: Fed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fed.inlet._waiting, "_items_max", 10)
    fed.journal.is_stuck = True
    for _ in range(10):
        fed.market.publish(*fed.market.trades(16))
    await fed.settled()
    await asyncio.wait_for(fed.inlet.stop(), 5)
    assert fed.loop.events == []


async def test_books_of_a_thousand_updates_wait_as_one(fed: Fed) -> None:
    market = fed.market
    fed.journal.is_stuck = True
    for number in range(1_000):
        market.publish(market.book(BTC, bid=str(number + 1), ask=str(number + 2)))
    await fed.settled()
    assert fed.inlet.waiting == 1
    fed.journal.unstick()
    (event,) = await fed.settled()
    assert isinstance(event, MarketEvent)
    assert isinstance(event.data, BookL1)
    assert event.data.best_bid is not None
    assert event.data.best_bid.price == 1_000
