"""How fast the engine alone is: events in memory, ticks not kept."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

from bench.fixture import OrderEvery, OrderEverywhere, PythonNoOp, events, started
from bench.measure import Rate, rate
from tradebus.backtesting import backtest
from tradebus.core import COMPILED
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.wire.codec.audit import tick_to_bytes

EVENTS = 200_000


def _forget(tick: AuditTick) -> None:
    """Take a tick and keep nothing of it."""


def engine_rate(make: list[Strategy], count: int = EVENTS) -> Rate:
    """Return market events per CPU second through ``Engine.process`` alone."""
    feed = events(count)
    record = started(make)

    def work() -> int:
        engine = Engine(record, make, RiskManager())
        engine.start(0)
        process = engine.process
        for event in feed:
            process(event, event.time_received_ns)
        return len(feed)

    return rate(work)


def encoded_rate(count: int = EVENTS) -> Rate:
    """Return market events per CPU second through the engine with every tick encoded, events included."""
    feed = events(count)
    strategies = [Strategy()]
    record = started(strategies)

    def work() -> int:
        engine = Engine(record, strategies, RiskManager())
        engine.start(0)
        size = 0
        for event in feed:
            size += len(tick_to_bytes(engine.process(event, event.time_received_ns)))
        return len(feed)

    return rate(work)


def digest_rate(count: int = EVENTS // 2) -> Rate:
    """Return market events per CPU second through a backtest, digest of every tick included."""
    feed = events(count)
    strategies: list[Strategy] = [PythonNoOp()]
    record = started(strategies)
    return rate(lambda: backtest(feed, record, strategies).events)


def loop_rate(make: Callable[[], Strategy], count: int = EVENTS, *, in_ticks: bool = False) -> Rate:
    """Return market events per CPU second through engine, simulated exchange and virtual time, with orders.

    With ``in_ticks`` everything that the engine processes counts: the answers of the exchange are events too.
    """
    feed = events(count)

    def work() -> int:
        strategies = [make()]
        record = started(strategies)
        loop = VirtualTimeLoop(Engine(record, strategies, RiskManager()), simulated_exchanges(record), _forget)
        for event in feed:
            loop.feed(event)
        loop.finish()
        return loop.engine.sequence if in_ticks else len(feed)

    return rate(work)


def measure() -> dict[str, Rate]:
    """Return every rate of this build."""
    return {
        "no-op strategy, compiled": engine_rate([Strategy()]),
        "no-op strategy in Python": engine_rate([PythonNoOp()]),
        "every tick encoded, no-op strategy": encoded_rate(),
        "backtest with digest, Python strategy": digest_rate(),
        "order every 1,000 events": loop_rate(lambda: OrderEvery(1_000)),
        "order every event": loop_rate(lambda: OrderEvery(1), EVENTS // 20),
        "three orders every event": loop_rate(OrderEverywhere, EVENTS // 40),
        "the same, all engine events counted": loop_rate(OrderEverywhere, EVENTS // 40, in_ticks=True),
    }


def measure_both() -> dict[str, dict[str, dict[str, float | int]]]:
    """Return the rates of the compiled and of the interpreted build, each measured in a process of its own."""
    results: dict[str, dict[str, dict[str, float | int]]] = {}
    for name in ("compiled", "interpreted"):
        environment = dict(os.environ)
        environment["TRADEBUS_CORE"] = name
        found = subprocess.run(
            [sys.executable, "-m", "bench.engine"], env=environment, check=False, capture_output=True, text=True
        )
        if found.returncode != 0:
            raise RuntimeError(f"{name} build: {found.stderr.strip()[-500:]}")
        data = json.loads(found.stdout)
        if data["compiled"] == (name == "compiled"):
            results[name] = data["rates"]
    return results


if __name__ == "__main__":
    json.dump({"compiled": COMPILED, "rates": {name: one.as_data() for name, one in measure().items()}}, sys.stdout)
