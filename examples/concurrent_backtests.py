"""Run one backtest for each set of parameters on all processors, and list the best by profit.

What you get: a sweep on `concurrent.futures`. Each worker builds what it needs (the market once, an engine for each
run) from a few plain values; only those and the results travel between processes, never an engine or a strategy. A set
of parameters that fails says why and leaves the others alone.

    python -m examples.concurrent_backtests
    python -m examples.concurrent_backtests --runs 10000 --seconds 3600
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import NamedTuple

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus import backtest
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ExchangeId
from tradebus.strategies.parameters import ParameterError

CHUNK = 8
LISTED = 5


class Parameters(NamedTuple):
    """What one run differs by."""

    fast: int
    slow: int
    seconds: int


class Outcome(NamedTuple):
    """What one run gave: profit in usdt, fills, the digest of all its ticks; or why it could not be run."""

    parameters: Parameters
    pnl: Decimal
    fills: int
    digest: str
    problem: str


INDEX = spot_index(ExchangeId.SIM_ALPHA, ["btc", "eth"])


@cache
def market(seconds: int) -> tuple[MarketEvent, ...]:
    """Return the market that every run of this process goes through."""
    return tuple(swinging_market(INDEX, seconds))


def run(parameters: Parameters) -> Outcome:
    """Run one backtest; this is all that a worker is told."""
    fast, slow, seconds = parameters
    ema = strategy_setup("ema", "tradebus.strategies.ema_cross:EmaCross", fast=str(fast), slow=str(slow))
    try:
        result = backtest(market(seconds), engine_started(INDEX, [ema]))
    except ParameterError as error:
        return Outcome(parameters, Decimal(0), 0, "", str(error))
    return Outcome(parameters, result.pnl_realised.get("usdt", Decimal(0)), result.fills, result.digest, "")


def grid(seconds: int) -> Iterator[Parameters]:
    """Yield pairs of averages to try, without end; among them some that the strategy refuses."""
    slow = 2
    while True:
        yield from (Parameters(fast, slow, seconds) for fast in range(1, slow + 1))
        slow += 1


def main() -> None:
    """Run the sweep and print its best runs."""
    parser = argparse.ArgumentParser(description="Run parameterised backtests side by side.")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=600, help="of market, two events per second and instrument")
    parser.add_argument("--workers", type=int, default=None, help="processes; as many as processors unless given")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        outcomes = list(pool.map(run, islice(grid(options.seconds), options.runs), chunksize=CHUNK))
    done = [outcome for outcome in outcomes if not outcome.problem]
    failed = [outcome for outcome in outcomes if outcome.problem]
    print(f"{len(done)} backtests of {4 * options.seconds} events, {len(failed)} refused")
    for outcome in sorted(done, key=lambda each: each.pnl, reverse=True)[:LISTED]:
        fast, slow, _ = outcome.parameters
        print(f"fast {fast} slow {slow}: pnl {outcome.pnl:.2f} usdt, {outcome.fills} fills, digest {outcome.digest}")
    for outcome in failed[:1]:
        print(f"refused, for example: {outcome.problem}")


if __name__ == "__main__":
    main()
