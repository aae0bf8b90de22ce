"""Show a trading summary as text: a title with the duration, then a table each for instruments, assets and portfolios.

Every table has a column per thing and a row per number, as barter's (0.12.5 ``statistic/summary/display.rs``) has; the
tables of portfolios and strategies are added. Nothing is printed here.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tradebus.core.statistics.asset_sheet import TearSheetAsset
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.number_text import (
    NOT_AVAILABLE,
    duration_text,
    number_text,
    percent_text,
    ratio_text,
)
from tradebus.core.statistics.portfolio import PortfolioSheet
from tradebus.core.statistics.strategy_sheet import StrategySheet
from tradebus.core.statistics.table import table_text
from tradebus.core.statistics.tear_sheet import TearSheet

if TYPE_CHECKING:
    from tradebus.core.statistics.summary import TradingSummary

TITLE: Final = r"""
 _____            _ _                ___
|_   _| _ __ _ __| (_)_ _  __ _     / __|_  _ _ __  _ __  __ _ _ _ _  _
  | || '_/ _` / _` | | ' \/ _` |    \__ \ || | '  \| '  \/ _` | '_| || |
  |_||_| \__,_\__,_|_|_||_\__, |    |___/\_,_|_|_|_|_|_|_\__,_|_|  \_, |
                          |___/                                    |__/
"""


def summary_text(summary: "TradingSummary") -> str:
    """Return the whole summary as text, ending without a line break."""
    parts = [
        TITLE.strip("\n"),
        duration_text(summary.trading_duration_ns),
        instrument_table(summary.instruments, summary.interval.name),
        asset_table(summary.assets),
    ]
    if summary.portfolios:
        parts.append(portfolio_table(summary.portfolios, summary.interval.name))
    if summary.strategies:
        parts.append(strategy_table(summary.strategies))
    return "\n".join(parts)


def instrument_table(sheets: dict[str, TearSheet], interval: str) -> str:
    """Return the table of instruments."""
    labels = [
        "PnL",
        f"Return {interval}",
        f"Sharpe Ratio {interval}",
        f"Sortino Ratio {interval}",
        f"Calmar Ratio {interval}",
        "PnL Drawdown",
        "PnL Drawdown Avg",
        "PnL Drawdown Max",
        "Win Rate",
        "Profit Factor",
    ]
    columns = [
        [
            number_text(sheet.pnl, 2),
            percent_text(sheet.pnl_return, 2),
            ratio_text(sheet.sharpe_ratio),
            ratio_text(sheet.sortino_ratio),
            ratio_text(sheet.calmar_ratio),
            percent_text(_depth(sheet.pnl_drawdown), 2),
            percent_text(_mean_depth(sheet.pnl_drawdown_mean), 2),
            percent_text(_depth(sheet.pnl_drawdown_max), 2),
            percent_text(sheet.win_rate, 1),
            number_text(sheet.profit_factor, 2),
        ]
        for sheet in sheets.values()
    ]
    return _table("Instrument", list(sheets), labels, columns)


def asset_table(sheets: dict[str, TearSheetAsset]) -> str:
    """Return the table of assets."""
    columns = [
        [
            number_text(None if sheet.balance_end is None else sheet.balance_end.total, 8),
            percent_text(_depth(sheet.drawdown), 2),
            percent_text(_mean_depth(sheet.drawdown_mean), 2),
            percent_text(_depth(sheet.drawdown_max), 2),
        ]
        for sheet in sheets.values()
    ]
    return _table("Asset", list(sheets), ["Balance", "Drawdown", "Drawdown Avg", "Drawdown Max"], columns)


def portfolio_table(sheets: dict[str, PortfolioSheet], interval: str) -> str:
    """Return the table of currencies."""
    labels = [
        "Capital",
        "Equity",
        "PnL",
        "Return",
        f"Return {interval}",
        f"Volatility {interval}",
        f"Sharpe Ratio {interval}",
        f"Sortino Ratio {interval}",
        f"Calmar Ratio {interval}",
        "Drawdown",
        "Drawdown Avg",
        "Drawdown Max",
        "Positions",
        "Win Rate",
        "Profit Factor",
        "Exposure Avg",
        "Exposure Max",
        "Time in Market",
        "Turnover",
    ]
    columns = [
        [
            number_text(sheet.capital_base, 2),
            number_text(sheet.equity_end, 2),
            number_text(sheet.pnl, 2),
            percent_text(sheet.return_total, 2),
            percent_text(sheet.return_interval, 2),
            percent_text(sheet.volatility, 2),
            ratio_text(sheet.sharpe_ratio),
            ratio_text(sheet.sortino_ratio),
            ratio_text(sheet.calmar_ratio),
            percent_text(_depth(sheet.drawdown), 2),
            percent_text(_mean_depth(sheet.drawdown_mean), 2),
            percent_text(_depth(sheet.drawdown_max), 2),
            str(sheet.positions),
            percent_text(sheet.win_rate, 1),
            number_text(sheet.profit_factor, 2),
            number_text(sheet.exposure.gross_mean, 2),
            number_text(sheet.exposure.gross_max, 2),
            percent_text(sheet.exposure.time_in_market, 1),
            number_text(sheet.turnover, 2),
        ]
        for sheet in sheets.values()
    ]
    return _table("Portfolio", list(sheets), labels, columns)


def strategy_table(sheets: dict[str, StrategySheet]) -> str:
    """Return the table of strategies."""
    columns = [
        [
            _amounts(sheet.pnl_realised, 2),
            _amounts(sheet.pnl_unrealised, 2),
            str(sheet.activity.fills),
            _amounts(sheet.activity.turnover, 2),
            _amounts(sheet.activity.fees, 8),
        ]
        for sheet in sheets.values()
    ]
    return _table("Strategy", list(sheets), ["PnL", "PnL Open", "Fills", "Turnover", "Fees"], columns)


def _table(title: str, names: list[str], labels: list[str], columns: list[list[str]]) -> str:
    rows = [[label, *[column[i] for column in columns]] for i, label in enumerate(labels)] if columns else []
    return table_text([title, *names], rows)


def _depth(drawdown: Drawdown | None) -> Decimal | None:
    return None if drawdown is None else drawdown.value


def _mean_depth(mean: MeanDrawdown | None) -> Decimal | None:
    return None if mean is None else mean.mean_drawdown


def _amounts(amounts: dict[str, Decimal], digits: int) -> str:
    return ", ".join([f"{number_text(amount, digits)} {name}" for name, amount in amounts.items()]) or NOT_AVAILABLE
