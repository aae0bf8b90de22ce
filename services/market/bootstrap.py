"""Build the market service: the only place where its concrete parts are made."""

from functools import partial
from typing import assert_never

from services.market.config import FeedPlan, GeneratorPlan, LivePlan, ReplayPlan, feed_plans, recordings_problem
from services.market.feed import Feed
from services.market.generated import GeneratedFeed, make_flow
from services.market.live import LiveFeed
from services.market.metrics import MarketMetrics
from services.market.publisher import PublisherIdentity, ShardPublisher
from services.market.recording import RecordingsRefused, read_recordings
from services.market.replay import ReplayFeed
from services.market.service import MarketService
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import FeedSink
from services.market.venues.registry import find_venue
from services.runtime import Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from tradebus.bus.interface import Bus
from tradebus.config import Settings
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments

SHARD = 0
"""An exchange has one shard: one connection's worth of order is kept, and one process carries it easily."""

_NS_PER_MS = 1_000_000


async def bootstrap(runtime: Runtime) -> Service:
    """Return the service for these settings, connected to NATS. Raises ConfigError."""
    settings = runtime.settings
    plans = feed_plans(settings, exchanges_served(settings))
    if any(isinstance(plan, ReplayPlan) for plan in plans):
        check_recordings(settings)
    bus = await runtime.connect_nats()
    return build(runtime, bus, plans)


def exchanges_served(settings: Settings) -> list[ExchangeId]:
    """Return the exchanges whose feeds this instance runs: all of them, there is one instance."""
    return settings.exchanges


def check_recordings(settings: Settings) -> None:
    """Refuse recordings that cannot be read before anything is connected. Raises ConfigError."""
    try:
        read_recordings(settings.recording_files(), settings.indexed_instruments()).close()
    except RecordingsRefused as error:
        raise recordings_problem(error.problems) from error


def build(runtime: Runtime, bus: Bus, plans: list[FeedPlan]) -> MarketService:
    """Return the service that runs these feeds on this bus."""
    index = runtime.settings.indexed_instruments()
    metrics = MarketMetrics(runtime.metrics.registry)
    letters = DeadLetterBox(runtime.service, bus, runtime.metrics.registry, runtime.log)
    runtime.spawn(letters.run(), "dead letters")
    identity = PublisherIdentity(runtime.instance, runtime.started_ns // _NS_PER_MS, index.fingerprint())
    feeds = [_feed(plan, runtime, bus, index, identity, letters, metrics) for plan in plans]
    return MarketService(bus, feeds, letters, runtime.log)


def _feed(
    plan: FeedPlan,
    runtime: Runtime,
    bus: Bus,
    index: IndexedInstruments,
    identity: PublisherIdentity,
    letters: DeadLetterBox,
    metrics: MarketMetrics,
) -> Feed:
    if isinstance(plan, ReplayPlan):
        files = runtime.settings.recording_files()
        opener = partial(read_recordings, files, index)
        return ReplayFeed(
            bus, plan.journal_id, plan.run, opener, identity, letters, metrics, runtime.spawn, runtime.log
        )
    publisher = ShardPublisher(bus, plan.exchange.value, SHARD, identity, metrics)
    if isinstance(plan, GeneratorPlan):
        make = partial(make_flow, index, plan.exchange, plan.seed, plan.params)
        return GeneratedFeed(plan.exchange, index, make, publisher, runtime.spawn, runtime.log)
    if isinstance(plan, LivePlan):
        return LiveFeed(
            plan.exchange,
            partial(_venue_feed, plan, index),
            publisher,
            letters,
            runtime.health,
            metrics,
            runtime.spawn,
            runtime.log,
        )
    assert_never(plan)


def _venue_feed(plan: LivePlan, index: IndexedInstruments, sink: FeedSink) -> VenueFeed:
    exchange = index.find_exchange_index(plan.exchange)
    return VenueFeed(find_venue(plan.exchange), exchange, plan.subscriptions, sink, url=plan.url)
