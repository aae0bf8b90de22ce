"""Run the vectors of the trading summary: its times, and how numbers are shown."""

from decimal import Decimal

from tests.conformance.engine import reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import BTC, exited, usual_index
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.statistics.interval import DAILY, SECOND_NS
from tradebus.core.statistics.number_text import duration_text, number_text, percent_text, ratio_text
from tradebus.core.statistics.summary import TradingSummaryGenerator


def run_time(case: Case, check: Check) -> None:
    """Move the summary's engine time by balances, positions and by hand."""
    start, now = (reading.time_ns(case.data[name]) for name in ("time_engine_start", "time_engine_now_initial"))
    generator = TradingSummaryGenerator(Decimal(0), start, now, usual_index())
    for event in case.data["events"]:
        time = reading.time_ns(event["time"])
        if event["kind"] == "balance":
            generator.update_from_balance(AssetIndex(0), Balance(Decimal(1), Decimal(1)), time)
        elif event["kind"] == "position":
            generator.update_from_position(BTC, exited(1, time))
        else:
            assert event["kind"] == "update_time_now", f"unknown kind {event['kind']}"
            generator.update_time_now(time)
    summary = generator.generate(DAILY)
    expected = case.data["expected"]
    check.equal("end", summary.time_engine_end_ns, reading.time_ns(expected["time_engine_end"]))
    duration = Decimal(summary.trading_duration_ns) / SECOND_NS
    check.equal("duration", duration, str(expected["trading_duration_seconds"]))


def run_duration(case: Case, check: Check) -> None:
    """Write a duration."""
    ours = duration_text(int(Decimal(str(case.data["seconds"])) * SECOND_NS))
    check.equal("duration", ours, case.data["expected"])


def run_ratio_format(case: Case, check: Check) -> None:
    """Write a ratio."""
    value = case.data["value"]
    check.equal("ratio", ratio_text(None if value is None else Decimal(value)), case.data["expected"])


def run_value_format(case: Case, check: Check) -> None:
    """Write a number of some kind."""
    written, kind = case.data["value"], case.data["kind"]
    value = None if written is None else Decimal(written)
    name, _, digits = kind.partition("_")
    if name == "percent":
        ours = percent_text(value, int(digits))
    else:
        ours = number_text(value, {"pnl": 2, "profit_factor": 2, "balance": 8}[kind])
    check.equal(kind, ours, case.data["expected"])


SUMMARY = "engine/summary_display.json"

RUNNERS = {
    (SUMMARY, "summary_time"): run_time,
    (SUMMARY, "duration_text"): run_duration,
    (SUMMARY, "ratio_format"): run_ratio_format,
    (SUMMARY, "value_format"): run_value_format,
}
