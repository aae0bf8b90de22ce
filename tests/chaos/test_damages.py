"""Damaged stream files and snapshots: found, not traded on, repaired. The full number: tests.chaos.damage_trials."""

from pathlib import Path

import pytest

from tests.chaos.damage_trials import DamageReport, run_trials

pytestmark = pytest.mark.timeout(400)

STREAMS, SNAPSHOTS = 10, 3


async def test_whatever_is_damaged_is_found_not_traded_on_and_repaired(tmp_path: Path) -> None:
    report = DamageReport()
    await run_trials(tmp_path, 2, STREAMS, SNAPSHOTS, report)
    assert not report.failures, report.table()
    for outcome in ("found by verify", "refused by the engine", "repaired from the archive"):
        assert report.outcomes[f"stream: {outcome}"], report.table()
    assert report.outcomes["snapshot: refused"] == SNAPSHOTS
