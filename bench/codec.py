"""What encoding and decoding one message costs: the hot ones, on values as they occur."""

import time
from collections.abc import Callable
from statistics import median

from bench.fixture import OrderEvery, events, started
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent
from tradebus.core.market.event import BookL1, MarketEvent, PublicTrade
from tradebus.core.risk.interface import RiskManager
from tradebus.wire.codec.audit import tick_from_bytes, tick_to_bytes
from tradebus.wire.codec.market import market_event_from_bytes, market_event_to_bytes

CALLS = 20_000
REPEATS = 5


def nanoseconds(work: Callable[[], object], calls: int = CALLS) -> float:
    """Return the median CPU nanoseconds of one call."""
    times: list[float] = []
    for _ in range(REPEATS + 1):
        begin = time.process_time_ns()
        for _ in range(calls):
            work()
        times.append((time.process_time_ns() - begin) / calls)
    return median(times[1:])


def ticks() -> dict[str, AuditTick]:
    """Return one tick of each frequent kind."""
    found: dict[str, AuditTick] = {}

    def sink(tick: AuditTick) -> None:
        event = tick.event
        if isinstance(event, MarketEvent):
            if tick.outputs and isinstance(tick.outputs[0], RequestsDecided):
                found.setdefault("tick, market event with an order", tick)
            elif isinstance(event.data, BookL1) and not tick.outputs:
                found.setdefault("tick, book", tick)
            elif isinstance(event.data, PublicTrade) and not tick.outputs:
                found.setdefault("tick, trade", tick)
        elif isinstance(event, AccountEvent):
            found[f"tick, account event ({type(event.data).__name__})"] = tick

    strategy = OrderEvery(7)
    record = started([strategy])
    loop = VirtualTimeLoop(Engine(record, [strategy], RiskManager()), simulated_exchanges(record), sink)
    for event in events(500):
        loop.feed(event)
    loop.finish()
    return found


def measure() -> dict[str, dict[str, float]]:
    """Return nanoseconds and bytes of each message."""
    results: dict[str, dict[str, float]] = {}
    feed = events(2)
    for name, event in (("market event, trade", feed[0]), ("market event, book", feed[1])):
        payload = market_event_to_bytes(event)
        results[name] = {
            "bytes": len(payload),
            "encode_ns": round(nanoseconds(lambda event=event: market_event_to_bytes(event))),  # type: ignore[misc]
            "decode_ns": round(nanoseconds(lambda payload=payload: market_event_from_bytes(payload))),  # type: ignore[misc]
        }
    for name, tick in sorted(ticks().items()):
        cause = tick.event
        spliced = market_event_to_bytes(cause) if isinstance(cause, MarketEvent) else None
        payload = tick_to_bytes(tick, spliced)
        results[name] = {
            "bytes": len(payload),
            "encode_ns": round(nanoseconds(lambda t=tick, s=spliced: tick_to_bytes(t, s))),  # type: ignore[misc]
            "decode_ns": round(nanoseconds(lambda payload=payload: tick_from_bytes(payload))),  # type: ignore[misc]
        }
    return results
