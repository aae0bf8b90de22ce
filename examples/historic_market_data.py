"""Replay recorded market data, lost links included, and trade on it with simulated execution.

What you get: an asyncio feed out of a file into an engine and a simulated exchange, in virtual time: a minute of
market takes milliseconds, and the same file gives the same digest each time. The file is one JSON document a line, in
the form of barter's recordings: `{"Item": {...}}` for a market event, `{"Reconnecting": "binance_spot"}` where the link
was lost; a single JSON array of these is read too. Without a file a recording is made first.

    python -m examples.historic_market_data
    python -m examples.historic_market_data my-recording.json

Recordings of raw venue frames go through the whole system with `make replay` instead.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.backtest.result import RunCounts, pnl_by_quote
from tradebus.core.engine.audit.state_hash import RunDigest
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.market.event import MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.side import parse_side
from tradebus.core.risk.interface import RiskManager
from tradebus.strategies.loading import load_strategy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENTS_BETWEEN_LOSSES = 400
BASES = ("btc", "eth", "sol")


def time_ns(text: str) -> int:
    """Return a time as nanoseconds since the epoch; what is below a microsecond is cut off."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1) * 1_000


def read_item(item: dict[str, Any], index: IndexedInstruments) -> MarketEvent | MarketReconnecting:
    """Return what one document of a recording says."""
    if "Reconnecting" in item:
        exchange = ExchangeId(item["Reconnecting"])
        return MarketReconnecting(index.find_exchange_index(exchange), "recorded")
    event = item["Item"].get("Ok", item["Item"])
    trade = event["kind"]["Trade"]
    return MarketEvent(
        time_ns(event["time_exchange"]),
        time_ns(event["time_received"]),
        index.find_exchange_index(ExchangeId(event["exchange"])),
        InstrumentIndex(event["instrument"]),
        0,
        PublicTrade(trade["id"], Decimal(trade["price"]), Decimal(trade["amount"]), parse_side(trade["side"])),
    )


async def recorded(path: Path, index: IndexedInstruments) -> AsyncIterator[MarketEvent | MarketReconnecting]:
    """Yield a recording in its order, and let others run now and then."""
    text = await asyncio.to_thread(path.read_text)
    lines = text.splitlines()
    # Decimals are exact only if no float ever stood in between.
    whole = json.loads(text, parse_float=Decimal) if text.lstrip().startswith("[") else None
    items: Iterator[Any] = iter(whole) if whole else (json.loads(line, parse_float=Decimal) for line in lines)
    for number, item in enumerate(items):
        if number % 1_000 == 0:
            await asyncio.sleep(0)
        yield read_item(item, index)


def make_recording(path: Path, seconds: int) -> None:
    """Write the trades of a made market as a recording, a lost link every so often."""
    index = spot_index(ExchangeId.SIM_ALPHA, BASES[:2])
    lines: list[str] = []
    for event in swinging_market(index, seconds):
        if isinstance(event.data, PublicTrade):
            when = (EPOCH + timedelta(microseconds=event.time_exchange_ns // 1_000)).isoformat()
            trade = event.data
            kind = {"id": trade.id, "price": str(trade.price), "amount": str(trade.amount), "side": str(trade.side)}
            item = {
                "time_exchange": when,
                "time_received": when,
                "exchange": "binance_spot",
                "instrument": event.instrument,
                "kind": {"Trade": kind},
            }
            lines.append(json.dumps({"Item": {"Ok": item}}))
            if len(lines) % EVENTS_BETWEEN_LOSSES == 0:
                lines.append(json.dumps({"Reconnecting": "binance_spot"}))
    path.write_text("\n".join(lines) + "\n")


async def replay(path: Path) -> None:
    """Run a recording through an engine and print what came of it."""
    index = spot_index(ExchangeId.BINANCE_SPOT, BASES)
    ema = strategy_setup("ema", "tradebus.strategies.ema_cross:EmaCross", fast="3", slow="8")
    started = engine_started(index, [ema])
    engine = Engine(started, [load_strategy(setup, index) for setup in started.strategies], RiskManager())
    counts = RunCounts()
    digest = RunDigest()

    def audit(tick: AuditTick) -> None:
        counts.add(tick)
        digest.add(tick)
        if isinstance(tick.event, MarketReconnecting):
            passed_s = Decimal(tick.time_ns - first_ns) / 1_000_000_000
            print(f"  tick {tick.sequence}: link lost after {passed_s:.3f} s, {len(tick.outputs)} strategy told")

    loop = VirtualTimeLoop(engine, simulated_exchanges(started), audit)
    first_ns = 0
    lost = 0
    async for event in recorded(path, index):
        if isinstance(event, MarketReconnecting):
            lost += 1
            loop.tell(event)
        else:
            first_ns = first_ns or event.time_received_ns
            loop.feed(event)
    loop.finish()
    print(f"{loop.events} market events, {lost} lost links, {(loop.time_ns - first_ns) / 1e9:.1f} s of market")
    print(f"{counts.orders} orders, {counts.fills} fills")
    for name, pnl in pnl_by_quote(engine.state).items():
        print(f"pnl {pnl:.4f} {name}")
    print(f"digest {digest.hexdigest()}")


def main() -> None:
    """Replay the recording that is named, or one that is made."""
    parser = argparse.ArgumentParser(description="Replay recorded market data with simulated execution.")
    parser.add_argument("recording", type=Path, nargs="?", help="a file in barter's form; one is made unless given")
    parser.add_argument("--seconds", type=int, default=600, help="length of the one that is made")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = options.recording or Path(folder) / "made.json"
        if options.recording is None:
            make_recording(path, options.seconds)
        asyncio.run(replay(path))


if __name__ == "__main__":
    main()
