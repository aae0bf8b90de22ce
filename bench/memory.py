"""How much memory is taken: for each open order and instrument, and for ten million ticks, which should take none.

Each figure is the growth of a process's resident memory, in a process of its own, collected before and after.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

import psutil

from bench.fixture import PRICE, QUANTITY, STEP_NS, OrderEvery, events, started
from bench.journal import ENGINE, STREAM, write_journal
from services.audit.config import Limits
from services.audit.fold import Fold
from tradebus.bus.message import JournalMessage
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import Command, SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.state.engine_state import initial_state
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import (
    NO_CLIENT_ORDER_ID,
    STRATEGY_UNKNOWN,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
)
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import spot
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager
from tradebus.journal.archive.chunk import CHUNK_BYTES
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.strategies.loading import load_data
from tradebus.wire import subjects

ORDERS: Final = 20_000
INSTRUMENTS: Final = 2_000
TICKS: Final = 1_000_000
LONG_TICKS: Final = 10_000_000


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def bytes_per_open_order() -> float:
    """Return what an order resting in the engine's state and at the simulated exchange takes."""
    record = started([])
    loop = VirtualTimeLoop(Engine(record, [], RiskManager()), simulated_exchanges(record), _forget)
    for event in events(500):
        loop.feed(event)
    before = _resident()
    for i in range(ORDERS):
        key = OrderKey(ExchangeIndex(0), InstrumentIndex(i % 3), STRATEGY_UNKNOWN, NO_CLIENT_ORDER_ID)
        price = PRICE / 2 - Decimal(i).scaleb(-2)
        request = OrderRequestOpen(key, Side.BUY, price, QUANTITY, OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED)
        loop.tell(Command(f"open-{i}", "bench", SendOpenRequests((request,))))
    for event in events(1_000)[500:]:
        loop.feed(event)  # later: every answer has arrived
    held = sum(len(instrument.orders) for instrument in loop.engine.state.instruments)
    if held != ORDERS:
        raise RuntimeError(f"expected {ORDERS} open orders, found {held}")
    return (_resident() - before) / ORDERS


def bytes_per_instrument() -> float:
    """Return what an instrument takes in index and state."""
    before = _resident()
    usdt = asset_from_name("usdt")
    numbering = index_instruments(
        spot(ExchangeId.SIM_ALPHA, f"A{i}USDT", asset_from_name(f"a{i}"), usdt) for i in range(INSTRUMENTS)
    )
    record = EngineStarted("bench", "replay", "bench", "bench", numbering, (), (), TradingState.ENABLED)
    state = initial_state(record, [])
    after = _resident()
    if len(state.instruments) != INSTRUMENTS:
        raise RuntimeError(f"expected {INSTRUMENTS} instruments, found {len(state.instruments)}")
    return (after - before) / INSTRUMENTS


def bytes_per_million_ticks() -> float:
    """Return by how much the engine's process grows over a million ticks with orders and fills, after a tenth more."""
    return _engine_growth(TICKS, 100)


def bytes_per_ten_million_ticks() -> float:
    """Return by how much the engine's process grows over ten million, with a tenth of the orders."""
    return _engine_growth(LONG_TICKS, 1_000)


def _engine_growth(ticks: int, order_every: int) -> float:
    strategy = OrderEvery(order_every)
    record = started([strategy])
    loop = VirtualTimeLoop(Engine(record, [strategy], RiskManager()), simulated_exchanges(record), _forget)
    before = 0
    for i, event in enumerate(_endless()):
        loop.feed(event)
        if i == ticks // 10:
            before = _resident()
        if i == ticks + ticks // 10:
            break
    return float(_resident() - before)


def bytes_of_audit() -> float:
    """Return by how much the audit service's fold and archive grow over ten million ticks, after a tenth more.

    Orders are so few that its projections, which are bounded, do not fill up meanwhile.
    """
    fold, verifier = Fold(load_data, Limits(), "replay"), FrameVerifier()
    before = 0
    with (
        tempfile.TemporaryDirectory(prefix="tradebus-bench-") as folder,
        ArchiveWriter(Path(folder), STREAM, subjects.audit(ENGINE)) as writer,
    ):

        def take(message: JournalMessage) -> None:
            nonlocal before
            fold.take(message)
            writer.append(verifier.accept(message))
            if writer.waiting_bytes >= CHUNK_BYTES:
                writer.flush()
            if not before and fold.ticks >= LONG_TICKS // 10:
                before = _resident()

        write_journal(islice(_endless(), LONG_TICKS + LONG_TICKS // 10), take, order_every=100_000)
        if not fold.is_exact:
            raise RuntimeError(f"the fold broke: {fold.broken}")
        return float(_resident() - before)


def _endless() -> Iterator[MarketEvent]:
    """Yield the same feed again and again, later each time."""
    feed = events(30_000)
    round_ns = len(feed) * STEP_NS
    rounds = 0
    while True:
        for event in feed:
            late = rounds * round_ns
            yield MarketEvent(
                event.time_exchange_ns + late,
                event.time_received_ns + late,
                event.exchange,
                event.instrument,
                event.sequence,
                event.data,
            )
        rounds += 1


def _forget(tick: AuditTick) -> None:
    """Take a tick and keep nothing of it."""


FIGURES: Final[dict[str, Callable[[], float]]] = {
    "bytes per open order": bytes_per_open_order,
    "bytes per instrument": bytes_per_instrument,
    "bytes more after 1 M ticks": bytes_per_million_ticks,
}
LONG_FIGURES: Final[dict[str, Callable[[], float]]] = {
    "bytes more after 10 M ticks": bytes_per_ten_million_ticks,
    "bytes more in audit after 10 M ticks": bytes_of_audit,
}


def measure(*, is_long: bool = False) -> dict[str, float]:
    """Return every figure, each from a process of its own; the long ones take some minutes."""
    results: dict[str, float] = {}
    for name in (*FIGURES, *(LONG_FIGURES if is_long else ())):
        command = [sys.executable, "-m", "bench.memory", name]
        found = subprocess.run(command, check=False, capture_output=True, text=True, env=dict(os.environ))
        if found.returncode:
            raise RuntimeError(f"{name}: {found.stderr.strip()[-500:]}")
        results[name] = round(json.loads(found.stdout))
    return results


if __name__ == "__main__":
    json.dump((FIGURES | LONG_FIGURES)[sys.argv[1]](), sys.stdout)
