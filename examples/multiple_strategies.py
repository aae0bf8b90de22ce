"""Run two strategies in one engine on the same instruments, and tell what each of them made.

What you get: one account and one net position per instrument, and beside it what each strategy holds of it. From the
list of fills, which name their strategy, a tear sheet for each strategy and instrument is made. The profits of both add
up to the account's.

    python -m examples.multiple_strategies
"""

import argparse
from decimal import Decimal

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus import backtest
from tradebus.core.backtest.result import BacktestResult
from tradebus.core.engine.state.payoff import LINEAR
from tradebus.core.engine.state.strategy_position import StrategyPosition
from tradebus.core.model.identifiers import ExchangeId, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.statistics.interval import DAILY
from tradebus.core.statistics.summary_text import instrument_table
from tradebus.core.statistics.tear_sheet import TearSheet, TearSheetGenerator

RISK_FREE = Decimal("0.05")
CAPITAL_OF_EACH = Decimal(10_000)


def tear_sheets(result: BacktestResult, index: IndexedInstruments, strategy: StrategyId) -> dict[str, TearSheet]:
    """Return what a strategy's round trips made in each instrument, from its fills alone.

    A round trip ends with the fill that takes the strategy's own quantity to zero, or beyond.
    """
    summary = result.summary
    sheets: dict[str, TearSheet] = {}
    for instrument in index.instruments:
        generator = TearSheetGenerator(summary.time_engine_start_ns, CAPITAL_OF_EACH)
        held = StrategyPosition(strategy, ZERO, ZERO, ZERO, ZERO, ZERO, 0, 0)
        exits, banked = 0, ZERO
        for fill in result.trades:
            if fill.strategy == strategy and fill.instrument == instrument.name:
                held.update_from_fill(fill.side, fill.quantity, fill.price, fill.fees, LINEAR)
                if held.exit_count > exits:
                    generator.update(held.pnl_realised - banked, ZERO, fill.time_exchange_ns)
                    exits, banked = held.exit_count, held.pnl_realised
        sheets[instrument.name] = generator.generate(RISK_FREE, DAILY, summary.time_engine_end_ns)
    return sheets


def main() -> None:
    """Run both and print what each holds and made."""
    parser = argparse.ArgumentParser(description="Run two strategies in one engine.")
    parser.add_argument("--seconds", type=int, default=900, help="of market, two events per second and instrument")
    options = parser.parse_args()

    index = spot_index(ExchangeId.SIM_ALPHA, ["btc", "eth"])
    ema = strategy_setup("ema", "tradebus.strategies.ema_cross:EmaCross", fast="3", slow="8")
    quoter = strategy_setup("quoter", "tradebus.strategies.quoter:Quoter")
    balances = {"usdt": 100_000, "btc": 1, "eth": 20}
    started = engine_started(index, [ema, quoter], balances=balances)
    result = backtest(swinging_market(index, options.seconds), started)

    for state in result.state.instruments:
        print(f"{state.instrument.name}: net {state.quantity_net().normalize():f}")
        for name, held in sorted(state.strategies.items()):
            open_pnl = state.strategy_pnl_unrealised(name)
            holds = f"{held.quantity_net.normalize():f}"
            print(f"  {name} holds {holds}, made {held.pnl_realised:.4f}, open {open_pnl:.4f} usdt")
    for setup in started.strategies:
        print(f"\n{setup.id}: {result.summary.strategies[setup.id].activity.fills} fills")
        print(instrument_table(tear_sheets(result, index, setup.id), DAILY.name))
    made = sum((sheet.pnl_realised["usdt"] for sheet in result.summary.strategies.values()), ZERO)
    still_open = sum((sheet.pnl_unrealised["usdt"] for sheet in result.summary.strategies.values()), ZERO)
    gross = sum((state.pnl_unrealised_gross() for state in result.state.instruments), ZERO)
    print(f"\nall strategies: {made + still_open:.4f} usdt")
    print(f"the account: {result.pnl_realised['usdt'] + gross:.4f} usdt")


if __name__ == "__main__":
    main()
