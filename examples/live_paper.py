"""Trade on paper with the live market data of a venue, and listen to the audit of every step.

What you get: trades and best prices of Binance spot over its websockets, an engine, a simulated account and a replica
that follows the engine's audit ticks, in one asyncio process. Trading is off at first and switched on at run time; at
the end an operator cancels all orders and closes all positions, the engine shuts down, and the day's results are shown.

    python -m examples.live_paper                             # 2,000 events of Binance spot; needs the internet
    python -m examples.live_paper --url ws://127.0.0.1:9443/ws --events 500

The same as services, with a durable journal and a REST API: `make up MODE=paper` (docs/strategies.md).
"""

import argparse
import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from examples.simulated import engine_started, spot_index, strategy_setup
from services.market.venues.errors import FrameError, VenueConnectionError
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.registry import find_venue
from services.market.venues.tally import UnknownKind
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick, PositionExit, RequestsDecided
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders, ClosePositions, Command
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, EngineStarted, TradeReceived, TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex
from tradebus.core.risk.interface import RiskManager
from tradebus.core.statistics.capital import capital_of
from tradebus.core.statistics.interval import DAILY
from tradebus.core.statistics.projection import TradingStatistics
from tradebus.strategies.loading import load_data, load_strategy

OPERATOR: Final = "operator"
RISK_FREE: Final = Decimal("0.05")
Live = MarketEvent | MarketReconnecting


class Queued:
    """Where the feed delivers: everything that matters is queued, in order."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Live] = asyncio.Queue()

    def on_events(self, events: Sequence[MarketEvent]) -> None:
        """Queue events."""
        for event in events:
            self.queue.put_nowait(event)

    def on_reconnecting(self, event: MarketReconnecting) -> None:
        """Queue the marker of a lost link."""
        self.queue.put_nowait(event)

    def on_frame_error(self, error: FrameError) -> None:
        """Say what could not be read; the feed counts it and goes on."""
        print(f"frame not read: {error}")

    def on_unknown_kind(self, unknown: UnknownKind) -> None:
        """Say that the venue sent something new."""
        print(f"unknown kind of frame: {unknown.kind}")

    def on_attempt_failed(self, error: VenueConnectionError, retry_in_ms: int) -> None:
        """Say that the venue could not be reached again yet."""
        print(f"no connection: {error}; again in {retry_in_ms} ms")


class Auditor:
    """Takes every tick: a replica of the engine's state, statistics over it, and a line for all but market data."""

    def __init__(self, started: EngineStarted) -> None:
        self.replica: Final = Replica(load_data)
        self.statistics: TradingStatistics | None = None
        self.orders = 0
        self.fills = 0
        self._capital: Final = capital_of(started.index, started.accounts)
        self._names: Final = [instrument.name for instrument in started.index.instruments]

    def take(self, tick: AuditTick) -> None:
        """Take the next tick."""
        self.replica.apply(tick)
        if self.statistics is None:
            self.statistics = TradingStatistics(self.replica.state, tick.time_ns, self._capital)
        self.statistics.add(tick, self.replica.state)
        event = tick.event
        if isinstance(event, (TradingStateUpdate, Command, MarketReconnecting)):
            print(f"{tick.sequence}: {event}")
        elif isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived):
            trade = event.data.trade
            self.fills += 1
            print(f"{tick.sequence}: {trade.side} {trade.quantity} {self._names[trade.instrument]} at {trade.price}")
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                self.orders += len(output.opens_sent)
            elif isinstance(output, PositionExit):
                exited = output.exited
                print(f"{tick.sequence}: closed {self._names[exited.instrument]}, pnl {exited.pnl_realised:.8f}")


async def trade(url: str | None, events: int) -> None:
    """Trade until so many market events came, then end in order."""
    index = spot_index(ExchangeId.BINANCE_SPOT, ["btc", "eth"])
    ema = strategy_setup("ema", "tradebus.strategies.ema_cross:EmaCross", fast="3", slow="8")
    started = engine_started(index, [ema], TradingState.DISABLED)
    engine = Engine(started, [load_strategy(setup, index) for setup in started.strategies], RiskManager())
    auditor = Auditor(started)
    loop = VirtualTimeLoop(engine, simulated_exchanges(started), auditor.take)

    sink = Queued()
    wanted = [
        Subscription(instrument.index, instrument.definition.name_exchange, kind)
        for instrument in index.instruments
        for kind in (SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1)
    ]
    feed = VenueFeed(find_venue(ExchangeId.BINANCE_SPOT), ExchangeIndex(0), wanted, sink, url=url)
    await feed.start()
    while loop.events < events:
        event = await sink.queue.get()
        if isinstance(event, MarketReconnecting):
            loop.tell(event)
            continue
        loop.feed(event)
        if loop.events == events // 10:
            loop.tell(TradingStateUpdate(TradingState.ENABLED, OPERATOR))
    await feed.stop()

    loop.tell(TradingStateUpdate(TradingState.DISABLED, OPERATOR))
    loop.tell(Command("cancel", OPERATOR, CancelOrders(ALL_INSTRUMENTS)))
    loop.tell(Command("close", OPERATOR, ClosePositions(ALL_INSTRUMENTS)))
    loop.finish()
    report(engine, auditor, loop.events)


def report(engine: Engine, auditor: Auditor, events: int) -> None:
    """Print what came of it."""
    state = engine.state
    still_open = sum(1 for instrument in state.instruments if instrument.position is not None)
    print(f"{events} market events, {auditor.orders} orders, {auditor.fills} fills, {still_open} positions open")
    for asset, pnl in state.pnl_realised().items():
        print(f"pnl {pnl:.8f} {state.index.assets[asset].asset.name_internal}")
    if auditor.statistics is not None:
        print(auditor.statistics.summary(auditor.replica.state, auditor.replica.time_ns, RISK_FREE, DAILY).text())
    is_equal = auditor.replica.hash() == engine.hash()
    print(f"replica at tick {auditor.replica.sequence}: {'equal' if is_equal else 'NOT equal'}")


def main() -> None:
    """Read the command line and trade."""
    parser = argparse.ArgumentParser(description="Trade on paper with live market data.")
    parser.add_argument("--url", default=None, help="another address of the venue's websockets")
    parser.add_argument("--events", type=int, default=2_000, help="market events after which to end")
    options = parser.parse_args()
    asyncio.run(trade(options.url, options.events))


if __name__ == "__main__":
    main()
