"""What of the settings concerns the market service, checked and in its own terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from services.market.flow import FlowParams, lag_of
from services.market.venues.interface import Subscription, SubscriptionKind
from tradebus.config import ConfigError, Problem, Settings
from tradebus.config.sections.venues import SourceName
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments


@dataclass(frozen=True, slots=True)
class GeneratorPlan:
    """A simulated exchange to run."""

    exchange: ExchangeId
    seed: int
    params: FlowParams


@dataclass(frozen=True, slots=True)
class LivePlan:
    """A venue's live feed to run; ``url`` replaces the venue's own address."""

    exchange: ExchangeId
    url: str | None
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Recordings to replay, merged into one feed, for the engine whose subjects have ``journal_id`` in them.

    ``run`` is None where any run's credit counts.
    """

    journal_id: str
    run: str | None


FeedPlan = GeneratorPlan | LivePlan | ReplayPlan


def feed_plans(settings: Settings, exchanges: Sequence[ExchangeId]) -> list[FeedPlan]:
    """Return the feeds of these exchanges, in their order; all that are recorded make one.

    ``exchanges`` are those that this instance serves: all of them, unless replicas share them.
    """
    plans: list[FeedPlan] = []
    is_replayed = False
    for exchange in exchanges:
        source: SourceName = settings.source(exchange)
        if source == "generator":
            plans.append(_generator(settings, exchange))
        elif source == "live":
            subscriptions = subscriptions_of(settings.indexed_instruments(), exchange)
            plans.append(LivePlan(exchange, settings.market_of(exchange).url_ws, subscriptions))
        elif source == "recording":
            is_replayed = True
        else:
            assert_never(source)
    if is_replayed:
        plans.append(ReplayPlan(settings.journal_id, settings.runtime.run))
    return plans


def subscriptions_of(index: IndexedInstruments, exchange: ExchangeId) -> tuple[Subscription, ...]:
    """Return what is listened to on an exchange: trades and best prices of each of its instruments."""
    return tuple(
        Subscription(instrument.index, instrument.definition.name_exchange, kind)
        for instrument in index.instruments_of(index.find_exchange_index(exchange))
        for kind in (SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1)
    )


def recordings_problem(problems: Sequence[str]) -> ConfigError:
    """Return what is wrong with the recordings as a problem of the configuration."""
    return ConfigError([Problem("settings", "recording", "a recording that can be read", text) for text in problems])


def _generator(settings: Settings, exchange: ExchangeId) -> GeneratorPlan:
    generator = settings.market_of(exchange).generator
    params = FlowParams(
        events_per_s=generator.events_per_s, start_prices=dict(generator.start_prices), lag_ns=lag_of(exchange)
    )
    return GeneratorPlan(exchange, generator.seed, params)
