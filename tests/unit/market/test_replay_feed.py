import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.market.recording import RecordedEvents, read_recordings
from services.market.replay import ReplayFeed
from services.runtime.dead_letters import DeadLetterBox
from tests.support.market_bus import KeptLog, ReplayEngine, Tasks, identity_of, market_metrics
from tests.support.market_instruments import spot_index
from tests.support.recordings import START_NS, depth, line, recording, ticker, trade
from tests.support.waiting import eventually
from tradebus.bus.batching import BATCH_ITEMS_MAX
from tradebus.bus.memory import MemoryBus
from tradebus.bus.message import Message
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire.codec.flow import Credit, credit_to_bytes
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes

INDEX = spot_index(ExchangeId.BINANCE_SPOT, "btc", "eth")
EVENTS = 1_000

StartFeed = Callable[..., Awaitable[ReplayFeed]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of trades and best prices, with depth among them: 1,000 events merged."""
    paths = []
    for symbol, offset in (("BTCUSDT", 0), ("ETHUSDT", 1)):
        lines = []
        for number in range(EVENTS // 2):
            at = START_NS + 2 * number + offset
            lines.append(line(at, (trade if number % 3 else ticker)(symbol, number)))
            if number % 10 == 0:
                lines.append(line(at, depth(symbol, number)))
        paths.append(recording(tmp_path / f"binance-spot-{symbol.lower()}.gz", lines))
    return paths


@pytest.fixture
def expected(files: list[Path]) -> list[MarketEvent]:
    return list(read_recordings(files, INDEX))


class Opener:
    """Opens the recordings and counts how often."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.times = 0

    def __call__(self) -> RecordedEvents:
        self.times += 1
        return read_recordings(self.files, INDEX)


@pytest.fixture
def opener(files: list[Path]) -> Opener:
    return Opener(files)


@pytest.fixture
def start_feed(bus: MemoryBus, tasks: Tasks, log: KeptLog, opener: Opener) -> StartFeed:
    async def start(run: str | None = "run") -> ReplayFeed:
        letters = DeadLetterBox("market", bus, CollectorRegistry(), log.bound)
        feed = ReplayFeed(
            bus, "replay", run, opener, identity_of(INDEX), letters, market_metrics(), tasks.spawn, log.bound
        )
        await feed.start()
        return feed

    return start


class Heads:
    """Keeps what every batch says of itself."""

    def __init__(self) -> None:
        self.batches: list[MarketBatch] = []

    def take(self, message: Message) -> None:
        self.batches.append(market_batch_from_bytes(message.payload))

    async def wait_for(self, items: int) -> None:
        """Wait until so many items came in all."""
        await eventually(lambda: sum(len(batch.items) for batch in self.batches) >= items, f"{items} items")


@pytest.fixture
async def heads(other_bus: MemoryBus) -> Heads:
    heads = Heads()
    await other_bus.subscribe("md.replay.0", heads.take)
    return heads


def credit(bus: MemoryBus, granted: int, through: int = 0, resend: int = 0, run: str = "run") -> None:
    bus.publish("flow.replay", credit_to_bytes(Credit(run, granted, through, resend)))


async def test_an_engine_gets_every_event_once_and_in_order(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads, opener: Opener, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    engine = ReplayEngine(other_bus, INDEX)
    await engine.listen()
    await engine.finish()
    assert engine.events == expected
    assert engine.total == EVENTS
    assert engine.repeated == 0
    assert all(len(batch.items) <= BATCH_ITEMS_MAX for batch in heads.batches)
    assert [batch.head.is_last for batch in heads.batches] == [False] * (len(heads.batches) - 1) + [True]
    assert {batch.head.index_fingerprint for batch in heads.batches} == {INDEX.fingerprint()}
    assert opener.times == 1
    engine.grant()
    await eventually(lambda: feed.is_done)
    assert feed.positions()[0].sequence == EVENTS


async def test_nothing_is_sent_before_the_first_credit_and_never_more_than_granted(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads
) -> None:
    feed = await start_feed()
    assert feed.status()["events_sent"] == 0
    for granted in (1, 64, 65, 65, 300):
        credit(other_bus, granted)
        await heads.wait_for(granted)
        assert feed.status()["events_sent"] == granted
    credit(other_bus, 10)
    credit(other_bus, 301)
    await eventually(lambda: feed.status()["events_sent"] == 301)
    assert [batch.head.sequence for batch in heads.batches] == [1, 2, 65, 66, 130, 194, 258, 301]


async def test_what_did_not_arrive_is_sent_again_from_where_it_is_missing(
    start_feed: StartFeed, other_bus: MemoryBus, opener: Opener, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    engine = ReplayEngine(other_bus, INDEX, loses=lambda delivery: delivery % 3 == 0)
    await engine.listen()
    await engine.finish()
    assert engine.events == expected
    assert engine.asked_again > 0
    assert feed.status()["events_resent"] not in {0, None}
    assert opener.times == 1, "what was not confirmed is kept"


async def test_a_lost_end_is_sent_again(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    credit(other_bus, EVENTS)
    await eventually(lambda: feed.status()["events_sent"] == EVENTS)
    credit(other_bus, EVENTS, EVENTS - 10, EVENTS - 9)
    await heads.wait_for(EVENTS + 10)
    last = heads.batches[-1]
    assert list(last.items) == expected[-10:]
    assert (last.head.is_last, last.head.feed_total) == (True, EVENTS)
    assert feed.status()["events_resent"] == 10
    assert not feed.is_done


async def test_an_engine_that_starts_over_gets_the_recordings_from_the_beginning(
    start_feed: StartFeed, other_bus: MemoryBus, opener: Opener, expected: list[MarketEvent], bus: MemoryBus
) -> None:
    feed = await start_feed()
    first = ReplayEngine(other_bus, INDEX)
    await first.listen()
    await first.finish()
    await eventually(lambda: feed.status()["is_exhausted"])
    engine = ReplayEngine(bus, INDEX)
    await engine.listen()
    engine.ask_again()
    await engine.finish()
    assert engine.events == expected
    assert opener.times == 2
    assert feed.status()["report"]["events"] == EVENTS  # type: ignore[index, call-overload]


async def test_a_feed_that_starts_over_goes_on_after_what_arrived(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    credit(other_bus, EVENTS, through=700)
    await eventually(lambda: feed.status()["events_sent"] == EVENTS)
    await eventually(lambda: heads.batches and heads.batches[-1].head.is_last)
    assert [item for batch in heads.batches for item in batch.items] == expected[700:]
    assert heads.batches[0].head.sequence == 701


async def test_credit_of_another_run_is_ignored(start_feed: StartFeed, other_bus: MemoryBus, log: KeptLog) -> None:
    feed = await start_feed()
    credit(other_bus, 50, run="another")
    credit(other_bus, 50, run="another")
    credit(other_bus, 5)
    await eventually(lambda: feed.status()["events_sent"] == 5)
    assert feed.status()["foreign_credits"] == 2
    assert len(log.of("credit of another run ignored")) == 1


async def test_without_a_configured_run_the_first_credit_names_it(start_feed: StartFeed, other_bus: MemoryBus) -> None:
    feed = await start_feed(run=None)
    credit(other_bus, 5, run="first")
    credit(other_bus, 50, run="second")
    await eventually(lambda: feed.status()["foreign_credits"] == 1)
    assert feed.status()["run"] == "first"
    await eventually(lambda: feed.status()["events_sent"] == 5)


async def test_what_the_bus_does_not_take_is_sent_once_it_does(
    start_feed: StartFeed, bus: MemoryBus, other_bus: MemoryBus, heads: Heads, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    credit(other_bus, 100)
    await eventually(lambda: feed.status()["events_sent"] == 100)
    # Credit that came just before the connection was lost.
    bus.publish("flow.replay", credit_to_bytes(Credit("run", EVENTS)))
    bus.lose_connection()
    await eventually(lambda: feed.status()["granted"] == EVENTS)
    assert feed.status()["events_sent"] != EVENTS
    bus.regain_connection()
    await eventually(lambda: feed.status()["events_sent"] == EVENTS)
    await eventually(lambda: heads.batches[-1].head.is_last)
    assert [item for batch in heads.batches for item in batch.items] == expected


async def test_recordings_without_any_event_end_at_once(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads, opener: Opener, tmp_path: Path
) -> None:
    opener.files = [recording(tmp_path / "binance-spot-empty", [line(START_NS, depth("BTCUSDT", 1))])]
    feed = await start_feed()
    credit(other_bus, 0)
    await eventually(lambda: heads.batches)
    credit(other_bus, 100)
    credit(other_bus, 100, resend=1)
    await eventually(lambda: len(heads.batches) == 2)
    for batch in heads.batches:
        assert batch.items == ()
        assert (batch.head.sequence, batch.head.is_last, batch.head.feed_total) == (1, True, 0)
    assert feed.is_done
    assert feed.status()["report"]["skipped"] == {"depth": 1}  # type: ignore[index, call-overload]


async def test_the_status_tells_sent_skipped_and_bad(
    start_feed: StartFeed, other_bus: MemoryBus, opener: Opener, tmp_path: Path, log: KeptLog
) -> None:
    unknown = line(START_NS, b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT"}}')
    lines = [line(START_NS, trade("BTCUSDT", 1)), b"?\n", line(START_NS, depth("BTCUSDT", 2)), unknown]
    path = recording(tmp_path / "binance-spot-x.gz", lines)
    path.write_bytes(path.read_bytes()[:-2])
    opener.files = [path]
    feed = await start_feed()
    engine = ReplayEngine(other_bus, INDEX)
    await engine.listen()
    await engine.finish()
    status = json.loads(json.dumps(feed.status()))
    assert status["events_sent"] == 1
    assert status["is_exhausted"] is True
    assert status["report"]["skipped"] == {"depth": 1, "kline": 1}
    assert status["report"]["bad_lines"] == 1
    assert status["report"]["damaged_files"][0]["file"] == "binance-spot-x.gz"
    assert log.of("bad line") == [
        {
            "file": "binance-spot-x.gz",
            "line": 2,
            "kind": "no_time",
            "reason": "expected '<receive time in ns> <JSON>', found '?'",
        }
    ]
    assert log.of("unknown kinds")[0] == {"kinds": {"kline": 1}}
    assert len(log.of("damaged recording")) == 1


async def test_a_malformed_credit_is_kept_and_changes_nothing(
    start_feed: StartFeed, other_bus: MemoryBus, log: KeptLog
) -> None:
    feed = await start_feed()
    other_bus.publish("flow.replay", b"\xff\xff\xff")
    other_bus.publish("flow.replay", b"")
    credit(other_bus, 3)
    await eventually(lambda: feed.status()["events_sent"] == 3)
    assert log.of("unreadable message")[0]["subject"] == "flow.replay"


async def test_absurd_credit_does_no_harm(
    start_feed: StartFeed, other_bus: MemoryBus, heads: Heads, expected: list[MarketEvent]
) -> None:
    feed = await start_feed()
    credit(other_bus, 10, resend=5_000)
    await eventually(lambda: feed.status()["events_sent"] == 10)
    credit(other_bus, 2**63, through=5_000)
    await eventually(lambda: feed.status()["is_exhausted"])
    credit(other_bus, 2**63, resend=1)
    await eventually(lambda: heads.batches[-1].head.is_last)
    assert [item for batch in heads.batches[1:] for item in batch.items] == expected


async def test_a_stopped_feed_sends_nothing_more(start_feed: StartFeed, other_bus: MemoryBus) -> None:
    feed = await start_feed()
    credit(other_bus, 10)
    await eventually(lambda: feed.status()["events_sent"] == 10)
    await feed.stop()
    credit(other_bus, 100)
    engine = ReplayEngine(other_bus, INDEX)
    await engine.listen()
    assert feed.status()["events_sent"] == 10
    await feed.stop()
    assert engine.delivered == 0
