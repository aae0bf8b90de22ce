"""How fast the engine alone is: events in memory, ticks not kept."""

import json
import os
import subprocess
import sys

from bench.fixture import OrderEvery, PythonNoOp, events, started
from bench.measure import Rate, rate
from tradebus.core import COMPILED
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy

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


def loop_rate(every: int, count: int = EVENTS) -> Rate:
    """Return market events per CPU second through engine, simulated exchange and virtual time, with orders."""
    feed = events(count)

    def work() -> int:
        strategies: list[Strategy] = [OrderEvery(every)]
        record = started(strategies)
        loop = VirtualTimeLoop(Engine(record, strategies, RiskManager()), simulated_exchanges(record), _forget)
        for event in feed:
            loop.feed(event)
        loop.finish()
        return len(feed)

    return rate(work)


def measure() -> dict[str, Rate]:
    """Return every rate of this build."""
    return {
        "no-op strategy, compiled with the core": engine_rate([Strategy()]),
        "no-op strategy in Python": engine_rate([PythonNoOp()]),
        "Python strategy, an order every 1,000 events, simulated exchange": loop_rate(1_000),
        "Python strategy, an order every event, simulated exchange": loop_rate(1, EVENTS // 20),
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
