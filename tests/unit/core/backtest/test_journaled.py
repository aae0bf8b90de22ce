"""A run that is cut anywhere and goes on from its ticks gives the ticks of the run that was never cut."""

from itertools import islice

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_BTC,
    ASSET_BETA_USDT,
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    engine_started,
    setup_of,
    simulated_account,
)
from tests.support.flow import MS, market_flow
from tradebus.core.backtest.journaled import JournaledRun, OtherAccountEvents
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, EngineStarted, TimerFired, TradeReceived
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.risk.interface import RiskManager
from tradebus.strategies.loading import load_data, load_strategy
from tradebus.wire.codec.audit import tick_from_bytes, tick_to_bytes

EVENTS = 160
EVERY = 11
"""Of the places for a cut, so many are passed over; each latency begins elsewhere."""


def started(*latencies_ms: int) -> EngineStarted:
    alpha = ((ASSET_BTC, 100), (ASSET_ETH, 100), (ASSET_USDT, 100_000))
    beta = ((ASSET_BETA_BTC, 100), (ASSET_BETA_USDT, 100_000))
    return engine_started(
        [
            setup_of(StrategyId("ema"), "tradebus.strategies.ema_cross:EmaCross", fast="3", slow="8"),
            setup_of(StrategyId("quoter"), "tradebus.strategies.quoter:Quoter"),
            setup_of(StrategyId("mine"), "tests.support.remembering:Remembering"),
        ],
        accounts=[
            simulated_account(ALPHA, alpha, latency_ns=latencies_ms[0] * MS),
            simulated_account(BETA, beta, latency_ns=latencies_ms[1] * MS),
        ],
    )


def whole_run(begin: EngineStarted, events: list[MarketEvent]) -> tuple[list[AuditTick], Engine]:
    ticks: list[AuditTick] = []
    engine = Engine(begin, [load_strategy(setup, begin.index) for setup in begin.strategies], RiskManager())
    loop = VirtualTimeLoop(engine, simulated_exchanges(begin), ticks.append)
    for event in events:
        loop.feed(event)
    loop.finish()
    return ticks, engine


def gone_on(begin: EngineStarted, stored: list[bytes], events: list[MarketEvent]) -> tuple[list[AuditTick], Engine]:
    """Return the ticks that come behind stored ones, made by an engine that has nothing else."""
    replica, run = Replica(load_data), JournaledRun(simulated_exchanges(begin))
    for each in stored:
        tick = tick_from_bytes(each)
        replica.apply(tick)
        run.take(tick)
    ticks: list[AuditTick] = []
    strategies = [load_strategy(setup, begin.index) for setup in begin.strategies]
    engine = Engine.resume(
        begin, strategies, RiskManager(), replica.state, sequence=replica.sequence, time_ns=replica.time_ns
    )
    loop = VirtualTimeLoop(engine, run.exchanges, ticks.append, run)
    loop.go_on()
    for event in islice(events, run.events, None):
        loop.feed(event)
    loop.finish()
    return ticks, engine


@pytest.mark.parametrize(("latencies_ms", "first"), [((0, 0), 1), ((20, 20), 2), ((20, 35), 3)])
def test_wherever_it_is_cut_the_rest_is_the_same(latencies_ms: tuple[int, int], first: int) -> None:
    begin, events = started(*latencies_ms), list(market_flow(EVENTS))
    ticks, engine = whole_run(begin, events)
    kinds = {type(tick.event.data if isinstance(tick.event, AccountEvent) else tick.event) for tick in ticks}
    assert {TradeReceived, TimerFired} <= kinds, "something happens beside the feed"
    texts = [canonical_text(tick) for tick in ticks]
    stored = [tick_to_bytes(tick) for tick in ticks]
    for cut in [*range(first, len(ticks), EVERY), *range(len(ticks) - 4, len(ticks) + 1)]:
        rest, other = gone_on(begin, stored[:cut], events)
        assert texts[:cut] + [canonical_text(tick) for tick in rest] == texts, f"cut behind tick {cut - 1}"
        assert other.hash() == engine.hash()


def test_an_account_event_that_the_exchange_does_not_give_is_refused() -> None:
    begin = started(20, 35)
    ticks, _ = whole_run(begin, list(market_flow(EVENTS)))
    run = JournaledRun(simulated_exchanges(begin))
    first = next(i for i, tick in enumerate(ticks) if isinstance(tick.event, AccountEvent))
    for tick in ticks[:first]:
        run.take(tick)
    other = next(tick for tick in ticks if isinstance(tick.event, AccountEvent) and tick.event != ticks[first].event)
    changed = AuditTick(ticks[first].sequence, ticks[first].time_ns, other.event, (), ())
    with pytest.raises(OtherAccountEvents, match=f"tick {ticks[first].sequence}: expected AccountEvent"):
        run.take(changed)
