"""List what of the reference is not built yet, so that the table at the end of the run can say so.

Everything that is neither run nor listed here fails.
"""

from tests.conformance.engine.vectors import Case

STATISTICS = "statistics are not built yet"

NOT_BUILT: dict[tuple[str, str], str] = {
    ("engine/balances.json", "tear_sheet_asset"): STATISTICS,
    ("engine/statistics_dataset.json", "*"): STATISTICS,
    ("engine/statistics_drawdown.json", "*"): STATISTICS,
    ("engine/statistics_ratios.json", "*"): STATISTICS,
    ("engine/statistics_tearsheet.json", "*"): STATISTICS,
    ("engine/statistics_welford.json", "*"): STATISTICS,
    ("engine/summary_display.json", "*"): STATISTICS,
}


def reason(case: Case) -> str | None:
    """Return why a case is not run, none if it is."""
    for group in (case.group, "*"):
        found = NOT_BUILT.get((case.file, group))
        if found is not None:
            return found
    return None
