"""Run nautilus_trader over quotes and trades of three instruments; print its rate as JSON. Runs in its own environment.

The same feed as ``bench.fixture``: of five events one is a trade, the others change the best bid and ask. The strategy
counts what it sees, and sends a market order every so many events (the second argument, 0 for never).
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202, ANN204, D102 - runs in another environment, with its types

import json
import sys
import time
from decimal import Decimal

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import FillModel
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, ETH, SOL, USDT
from nautilus_trader.model.data import QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, TraderId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

BASE_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000
VENUE = Venue("SIM")


class Counting(Strategy):
    """Counts quotes and trades, and orders now and then."""

    def __init__(self, instruments, every):
        super().__init__(StrategyConfig(strategy_id="COUNT-000"))
        self._instruments = instruments
        self._every = every
        self.seen = 0
        self.orders = 0

    def on_start(self):
        for instrument in self._instruments:
            self.subscribe_quote_ticks(instrument.id)
            self.subscribe_trade_ticks(instrument.id)

    def on_quote_tick(self, tick):
        self._see(tick.instrument_id)

    def on_trade_tick(self, tick):
        self._see(tick.instrument_id)

    def _see(self, instrument_id):
        self.seen += 1
        if self._every and self.seen % self._every == 0:
            instrument = self.cache.instrument(instrument_id)
            side = OrderSide.BUY if (self.seen // self._every) % 2 else OrderSide.SELL
            self.submit_order(self.order_factory.market(instrument_id, side, instrument.make_qty(0.001)))
            self.orders += 1


def pair(base):
    """Return a spot instrument with the steps of the other benchmarks."""
    symbol = Symbol(f"{base.code}USDT")
    return CurrencyPair(
        instrument_id=InstrumentId(symbol, VENUE),
        raw_symbol=symbol,
        base_currency=base,
        quote_currency=USDT,
        price_precision=2,
        size_precision=3,
        price_increment=Price(0.01, 2),
        size_increment=Quantity(0.001, 3),
        lot_size=None,
        max_quantity=Quantity(9000, 3),
        min_quantity=Quantity(0.001, 3),
        max_notional=None,
        min_notional=Money(0.01, USDT),
        max_price=Price(1_000_000, 2),
        min_price=Price(0.01, 2),
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
        ts_event=0,
        ts_init=0,
    )


def feed(instruments, count):
    """Return the events, in time order."""
    made = []
    for i in range(count):
        instrument = instruments[i % 3]
        price = (60_000_00 + (i * 7919) % 2000 - 1000) / 100
        amount = (1 + (i * 31) % 500) / 1000
        at = BASE_NS + i * STEP_NS
        if i % 5 == 0:
            side = AggressorSide.BUYER if i % 2 else AggressorSide.SELLER
            made.append(
                TradeTick(instrument.id, Price(price, 2), Quantity(amount, 3), side, TradeId(str(i + 1)), at, at)
            )
        else:
            bid, ask, size = Price(price, 2), Price(price + 0.01, 2), Quantity(amount, 3)
            made.append(QuoteTick(instrument.id, bid, ask, size, size, at, at))
    return made


def main(count, every):
    """Run once and print the figures."""
    config = BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=LoggingConfig(log_level="ERROR"))
    engine = BacktestEngine(config=config)
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(1_000_000, currency) for currency in (BTC, ETH, SOL)] + [Money(100_000_000, USDT)],
        fill_model=FillModel(),
    )
    instruments = [pair(base) for base in (BTC, ETH, SOL)]
    for instrument in instruments:
        engine.add_instrument(instrument)
    engine.add_data(feed(instruments, count), sort=False)
    strategy = Counting(instruments, every)
    engine.add_strategy(strategy)
    begin = time.process_time()
    engine.run()
    used = time.process_time() - begin
    json.dump(
        {"events": strategy.seen, "orders": strategy.orders, "cpu_s": used, "rate": strategy.seen / used}, sys.stdout
    )


main(int(sys.argv[1]), int(sys.argv[2]))
