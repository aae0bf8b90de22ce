"""The summary as text: barter's tables and cut digits."""

from decimal import Decimal

import pytest

from tests.support.builders import exited, usual_index
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import AssetIndex, InstrumentIndex
from tradebus.core.model.number import DECIMAL_MAX, DECIMAL_MIN
from tradebus.core.statistics.interval import ANNUAL_365, DAY_NS, SECOND_NS
from tradebus.core.statistics.number_text import duration_text, number_text, percent_text, ratio_text
from tradebus.core.statistics.summary import TradingSummary, TradingSummaryGenerator, unique_names
from tradebus.core.statistics.summary_text import TITLE, instrument_table
from tradebus.core.statistics.table import table_text

ZERO = Decimal(0)


def summary() -> TradingSummary:
    generator = TradingSummaryGenerator(ZERO, 0, 0, usual_index(), {"usdt": Decimal(1000)})
    for day, pnl in ((1, 100), (2, -50)):
        generator.update_from_position("sim_alpha-btc_usdt", exited(pnl, day * DAY_NS))
    generator.update_from_balance("sim_alpha_usdt", Balance(Decimal(1050), Decimal(1000)), 2 * DAY_NS)
    return generator.generate(ANNUAL_365)


def test_digits_are_cut_and_infinity_is_a_sign() -> None:
    assert number_text(Decimal("-0.009"), 2) == "-0.00"
    assert number_text(Decimal("1E+3"), 2) == "1000.00"
    assert number_text(DECIMAL_MAX - 1, 8) == "79228162514264337593543950334.00000000"
    assert percent_text(Decimal("0.999999"), 2) == "99.99%"
    assert [percent_text(value, 2) for value in (DECIMAL_MAX, DECIMAL_MIN, None)] == ["∞", "-∞", "N/A"]
    assert ratio_text(Decimal("-1.23456")) == "-1.2345"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 Minutes"), (-120, "-2 Minutes"), (29 * 86_400, "~29 Days"), (28 * 86_400, "4 Week(s) & 0 Day(s)")],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration_text(seconds * SECOND_NS) == f"(Trading Duration: {text})"


def test_tables_have_a_column_per_thing_and_a_row_per_number() -> None:
    assert table_text(["a", "bb"], [["ccc", "d"]]).splitlines() == [
        "┌─────┬────┐",
        "│ a   │ bb │",
        "├─────┼────┤",
        "│ ccc │ d  │",
        "└─────┴────┘",
    ]


def test_a_summary_is_a_title_a_duration_and_tables() -> None:
    text = summary().text()
    assert text.startswith(TITLE.strip("\n"))
    lines = text.splitlines()
    assert "(Trading Duration: 2 Day(s) & 0 Hour(s))" in lines
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert cells[0] == ["Instrument", "sim_alpha-btc_usdt", "sim_alpha-eth_usdt", "sim_beta-btc_usdt"]
    rows = {row[0]: row[1:] for row in cells}
    assert rows["PnL"] == ["50.00", "0.00", "0.00"]
    assert rows["Return Annual(365)"] == ["912.50%", "0.00%", "0.00%"]
    assert rows["Sharpe Ratio Annual(365)"][1] == "∞"
    assert rows["PnL Drawdown Max"] == ["4.54%", "N/A", "N/A"]
    assert rows["Win Rate"] == ["50.0%", "N/A", "N/A"]
    assert rows["Profit Factor"] == ["2.00", "N/A", "N/A"]
    assert rows["Asset"][2] == "sim_alpha_usdt"
    assert rows["Balance"][2] == "1050.00000000"
    assert rows["Drawdown"] == ["N/A"] * 5


def test_without_instruments_only_the_titles_stand() -> None:
    assert instrument_table({}, "Daily").splitlines() == ["┌────────────┐", "│ Instrument │", "└────────────┘"]


def test_keys_are_indices_or_names_and_others_are_refused() -> None:
    generator = TradingSummaryGenerator(ZERO, 0, 0, usual_index())
    balance = Balance(Decimal(1), Decimal(1))
    generator.update_from_balance(AssetIndex(2), balance, 1)
    generator.update_from_balance("sim_alpha_usdt", balance, 2)
    assert generator.generate(ANNUAL_365).assets["sim_alpha_usdt"].balance_end == balance
    with pytest.raises(KeyError, match="expected one of"):
        generator.update_from_balance("sim_alpha_eur", balance, 3)
    for wrong in (3, -1):
        with pytest.raises(KeyError, match="expected an index from 0 to 2"):
            generator.update_from_position(InstrumentIndex(wrong), exited(0, 1))


def test_names_that_occur_twice_get_their_exchange() -> None:
    assert unique_names(["a", "b", "a"], ["x", "x", "y"]) == ["x-a", "b", "y-a"]


def test_json_holds_numbers_as_text_and_every_field() -> None:
    made = summary()
    text = made.to_json()
    assert '"time_engine_end_ns": 172800000000000' in text
    assert '"sim_alpha-btc_usdt": {"interval": {"name": "Annual(365)"' in text
    assert '"pnl_return": "9.125"' in text
    assert '"sharpe_ratio": "Infinity"' in text
    assert '"balance_end": {"total": "1050", "free": "1000"}' in text
    assert made.to_json() == summary().to_json()
