"""Make a trading summary from closed positions and balances alone: no engine, no market.

What you get: the statistics (returns, Sharpe, Sortino and Calmar ratios, drawdowns, win rate, profit factor) of
whatever traded elsewhere, as a table, as objects and as JSON. Give it positions as they closed and balances as they
changed; asking for the summary changes nothing, so it can be asked for again and again.

    python -m examples.trading_summary
    python -m examples.trading_summary --json
"""

import argparse
from decimal import Decimal

from examples.simulated import SECOND_NS, START_NS, spot_index
from tradebus.core.engine.state.position import NO_TRADES, PositionExited
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.number import ZERO
from tradebus.core.model.side import Side
from tradebus.core.statistics.interval import ANNUAL_365
from tradebus.core.statistics.summary import TradingSummaryGenerator

HOUR_NS = 3_600 * SECOND_NS
FEE = Decimal("0.0005")
CAPITAL = Decimal(10_000)
# Hour of the exit, instrument, side, entry price, exit price, quantity.
TRADES = (
    (2, "sim_alpha-btc_usdt", Side.BUY, "60000", "60600", "0.05"),
    (5, "sim_alpha-eth_usdt", Side.SELL, "2500", "2525", "1"),
    (9, "sim_alpha-btc_usdt", Side.SELL, "60500", "60900", "0.05"),
    (14, "sim_alpha-btc_usdt", Side.BUY, "60800", "61500", "0.05"),
    (20, "sim_alpha-eth_usdt", Side.BUY, "2510", "2560", "1"),
)


def closed_position(
    instrument: InstrumentIndex, side: Side, entry: Decimal, exit_: Decimal, quantity: Decimal, time_exit_ns: int
) -> PositionExited:
    """Return a position that was opened an hour before it was closed, each with one fill."""
    fees_enter, fees_exit = FEE * entry * quantity, FEE * exit_ * quantity
    gross = (exit_ - entry) * quantity if side is Side.BUY else (entry - exit_) * quantity
    return PositionExited(
        instrument=instrument,
        side=side,
        price_entry_average=entry,
        quantity_abs_max=quantity,
        pnl_realised=gross - fees_enter - fees_exit,
        fees_enter=fees_enter,
        fees_exit=fees_exit,
        time_enter_ns=time_exit_ns - HOUR_NS,
        time_exit_ns=time_exit_ns,
        trade_count=2,
        trade_digest=NO_TRADES,
        funding=ZERO,
    )


def main() -> None:
    """Feed the generator and print the summary."""
    parser = argparse.ArgumentParser(description="Make a trading summary from closed positions and balances.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()

    exchange = ExchangeId.SIM_ALPHA
    index = spot_index(exchange, ["btc", "eth"])
    generator = TradingSummaryGenerator(Decimal("0.05"), START_NS, START_NS, index, {"usdt": CAPITAL})
    total = CAPITAL
    for hour, name, side, entry, exit_, quantity in TRADES:
        time_ns = START_NS + hour * HOUR_NS
        instrument = index.find_instrument_index(exchange, name)
        prices = Decimal(entry), Decimal(exit_)
        exited = closed_position(instrument, side, *prices, Decimal(quantity), time_ns)
        generator.update_from_position(instrument, exited)
        total += exited.pnl_realised
        generator.update_from_balance("sim_alpha_usdt", Balance(total, total), time_ns)
    generator.update_time_now(START_NS + 24 * HOUR_NS)
    summary = generator.generate(ANNUAL_365)
    print(summary.to_json(indent=2) if options.json else summary.text())


if __name__ == "__main__":
    main()
