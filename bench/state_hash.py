"""What the state hash costs: taken every 10,000 ticks, as a share of what the engine spends on these ticks.

All instruments change between two hashes, which is the dearest case. ``whole`` is what a hash costs that knows nothing
of the one before.
"""

import statistics
import time

from bench.fixture import events
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted, StrategySetup
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import spot
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy

EVERY = 10_000
HASHES = 10
REPEATS = 5
INSTRUMENTS = (3, 100)


def started(instruments: int) -> EngineStarted:
    """Return the start record of an engine with this many instruments."""
    usdt = asset_from_name("usdt")
    index = index_instruments(
        spot(ExchangeId.SIM_ALPHA, f"C{i}USDT", asset_from_name(f"c{i}"), usdt) for i in range(instruments)
    )
    setup = StrategySetup(Strategy().id, "bench.fixture:none", ())
    return EngineStarted("bench", "replay", "bench", "bench", index, (), (setup,), TradingState.ENABLED)


def feed(instruments: int) -> list[MarketEvent]:
    """Return events of all instruments in turn."""
    return [
        MarketEvent(
            event.time_exchange_ns,
            event.time_received_ns,
            event.exchange,
            InstrumentIndex(i % instruments),
            i // instruments + 1,
            event.data,
        )
        for i, event in enumerate(events(EVERY * HASHES))
    ]


def once(record: EngineStarted, market: list[MarketEvent]) -> tuple[int, int, int]:
    """Return CPU nanoseconds of the ticks, of the hashes between them, and of as many whole ones."""
    engine = Engine(record, [Strategy()], RiskManager())
    engine.start(0)
    process = engine.process
    ticks = hashes = whole = 0
    for first in range(0, len(market), EVERY):
        part = market[first : first + EVERY]
        begin = time.process_time_ns()
        for event in part:
            process(event, event.time_received_ns)
        processed = time.process_time_ns()
        engine.hash()
        hashed = time.process_time_ns()
        hash_state(engine.state)
        whole += time.process_time_ns() - hashed
        hashes += hashed - processed
        ticks += processed - begin
    return ticks, hashes, whole


def measure() -> dict[str, dict[str, float]]:
    """Return the cost of a hash and its share, by number of instruments."""
    results: dict[str, dict[str, float]] = {}
    for instruments in INSTRUMENTS:
        record, market = started(instruments), feed(instruments)
        once(record, market)
        runs = [once(record, market) for _ in range(REPEATS)]
        results[f"{instruments} instruments"] = {
            "hash_us": round(statistics.median(run[1] for run in runs) / HASHES / 1_000, 1),
            "whole_us": round(statistics.median(run[2] for run in runs) / HASHES / 1_000, 1),
            "share_percent": round(statistics.median(100 * run[1] / run[0] for run in runs), 2),
            "share_percent_highest": round(max(100 * run[1] / run[0] for run in runs), 2),
        }
    return results
