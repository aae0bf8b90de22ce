"""Run two strategies in one engine on the same instruments, and tell what each of them holds and made.

What you get: one account and one net position per instrument, and beside it what each strategy holds of it, made of its
own fills, which name their strategy. The quantities add up to the net position and the profits to the account's.

    python -m examples.multiple_strategies
"""

import argparse
from decimal import Decimal

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus import backtest
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.number import ZERO


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
        print(f"{state.instrument.name}: net {plain(state.quantity_net())}")
        for name, held in sorted(state.strategies.items()):
            made = f"made {held.pnl_realised:.4f}, open {state.strategy_pnl_unrealised(name):.4f} usdt"
            trips = f"{held.trade_count} fills, {held.exit_count} round trips"
            print(f"  {name} holds {plain(held.quantity_net)}, {trips}, {made}")
    usdt = index.find_asset_index(ExchangeId.SIM_ALPHA, "usdt")
    of_all = [result.state.strategy_pnl(setup.id).get(usdt, ZERO) for setup in started.strategies]
    gross = sum((state.pnl_unrealised_gross() for state in result.state.instruments), ZERO)
    print(f"all strategies: {sum(of_all):.4f} usdt")
    print(f"the account: {result.pnl_realised['usdt'] + gross:.4f} usdt")


def plain(quantity: Decimal) -> str:
    """Return a quantity without zeros at its end."""
    return f"{quantity.normalize():f}"


if __name__ == "__main__":
    main()
