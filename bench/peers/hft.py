"""Run hftbacktest with a compiled strategy over trades and book updates; print its rate as JSON. Own environment.

Of five rows one is a trade, the others each change one side of the book; the strategy counts, and sends an order every
so many rows (the second argument, 0 for never). Compiling (numba) is done before the clock starts.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201 - runs in another environment, with its types

import json
import sys
import time

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

BASE_NS = 1_700_000_000_000_000_000
STEP_NS = 50_000


@njit
def run(hbt, every):
    """Follow the feed to its end; return how many rows and orders there were."""
    seen = 0
    orders = 0
    while True:
        what = hbt.wait_next_feed(False, 1_000_000_000_000)
        if what != 2:
            return seen, orders
        seen += 1
        if every and seen % every == 0:
            orders += 1
            depth = hbt.depth(0)
            if orders % 2:
                hbt.submit_buy_order(0, orders, depth.best_ask, 0.001, GTC, LIMIT, False)
            else:
                hbt.submit_sell_order(0, orders, depth.best_bid, 0.001, GTC, LIMIT, False)
            if orders % 100 == 0:
                hbt.clear_inactive_orders(0)


def feed(count):
    """Return the rows, in time order."""
    rows = np.zeros(count, event_dtype)
    i = np.arange(count)
    is_trade = i % 5 == 0
    is_bid = i % 2 == 0
    side = np.where(is_bid, np.uint64(BUY_EVENT), np.uint64(SELL_EVENT))
    kind = np.where(is_trade, np.uint64(TRADE_EVENT), np.uint64(DEPTH_EVENT))
    rows["ev"] = kind | side | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
    rows["exch_ts"] = rows["local_ts"] = BASE_NS + i * STEP_NS
    offset = ((i * 7919) % 1000) / 100
    rows["px"] = np.round(np.where(is_bid, 59_999.99 - offset, 60_000 + offset), 2)
    rows["qty"] = (1 + (i * 31) % 500) / 1000
    return rows


def backtest(rows):
    """Return a fresh backtest over the rows."""
    asset = (
        BacktestAsset()
        .data([rows])
        .linear_asset(1.0)
        .constant_order_latency(500_000, 500_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0002, 0.0005)
        .tick_size(0.01)
        .lot_size(0.001)
        .last_trades_capacity(0)
    )
    return HashMapMarketDepthBacktest([asset])


def main(count, every):
    """Compile, run once and print the figures."""
    few, rows = feed(1000), feed(count)  # kept: the library holds no reference to them
    warm = backtest(few)
    run(warm, every)
    warm.close()
    hbt = backtest(rows)
    begin = time.process_time()
    seen, orders = run(hbt, every)
    used = time.process_time() - begin
    hbt.close()
    json.dump({"events": int(seen), "orders": int(orders), "cpu_s": used, "rate": seen / used}, sys.stdout)


main(int(sys.argv[1]), int(sys.argv[2]))
