"""List what of the reference is not built yet, so that the table at the end of the run can say so.

Everything that is neither run nor listed here fails.
"""

from typing import Any

from tests.conformance.engine.vectors import Case

STATISTICS = "statistics are not built yet"
RISK = "the check utilities and the example risk manager are not built yet"
VENUE_ACCOUNTS = "requests to venue accounts are not built yet; paper accounts are simulated"
BACKTESTS = "the reference's configuration format, data containers and many backtests at once are not built yet"

NOT_BUILT: dict[tuple[str, str], str] = {
    ("engine/balances.json", "tear_sheet_asset"): STATISTICS,
    ("engine/statistics_dataset.json", "*"): STATISTICS,
    ("engine/statistics_drawdown.json", "*"): STATISTICS,
    ("engine/statistics_ratios.json", "*"): STATISTICS,
    ("engine/statistics_tearsheet.json", "*"): STATISTICS,
    ("engine/statistics_welford.json", "*"): STATISTICS,
    ("engine/summary_display.json", "*"): STATISTICS,
    ("engine/risk_checks.json", "*"): RISK,
    ("engine/execution_manager.json", "*"): VENUE_ACCOUNTS,
    ("engine/config_backtest.json", "config"): BACKTESTS,
    ("execution/error_messages.json", "*"): VENUE_ACCOUNTS,
    ("execution/indexer.json", "*"): VENUE_ACCOUNTS,
    ("execution/instrument_map.json", "*"): VENUE_ACCOUNTS,
}


def reason(case: Case) -> str | None:
    """Return why a case is not run, none if it is."""
    for group in (case.group, "*"):
        found = NOT_BUILT.get((case.file, group))
        if found is not None:
            return found
    return _reason_of_operation(case)


def _reason_of_operation(case: Case) -> str | None:
    data = case.data
    if case.file == "engine/config_backtest.json" and ("ids" in data or not data.get("events")):
        return BACKTESTS
    if case.file == "execution/models.json" and data["op"] == "asset_fees_default":
        return "fees are a field of a fill"
    if case.file == "execution/mock_exchange.json":
        return _reason_of_mock(data)
    return None


def _reason_of_mock(data: dict[str, object]) -> str | None:
    if data.get("exchange_stopped"):
        return VENUE_ACCOUNTS
    steps = _list(data["steps"])
    operations = {step["request"]["op"] for step in steps}
    if operations - {"open_order"}:
        return (
            "fetches and the market-only mode without cancels are not built: the simulated exchange tells, and cancels"
        )
    names = {item["name_exchange"] for item in _list(data["instruments"])}
    if any(step["request"]["key"]["instrument"] not in names for step in steps):
        return "cannot be written: orders name instruments by index, and the engine refuses one that there is not"
    if any(step["request"]["kind"] != "Market" for step in steps):
        return "the market-only mode is not built: limit orders are simulated"
    return None


def _list(value: object) -> list[Any]:
    assert isinstance(value, list)
    return value
