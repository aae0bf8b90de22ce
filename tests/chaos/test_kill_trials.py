"""Kill the services and the broker at named places and at any instant, under load: every journal stays sound."""

from pathlib import Path

import pytest

from tests.chaos.trials import Report, run_trials, schedule
from tradebus.crash_points import POINTS

pytestmark = pytest.mark.timeout(400)

TRIALS = 23
SEED = 4


async def test_a_system_that_is_killed_at_every_named_place_loses_and_doubles_nothing(tmp_path: Path) -> None:
    report = Report()
    faults = schedule(SEED, TRIALS)
    await run_trials(tmp_path, faults, report, print, f"python -m tests.chaos kills --seed {SEED} --trials {TRIALS}")
    assert not report.failures, report.table(())
    assert report.trials == TRIALS
    never = {*POINTS, *(fault.name for fault in faults)} - {name for name, count in report.fired.items() if count}
    assert not never, f"these never happened: {never}"
