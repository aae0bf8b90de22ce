"""A replay that is killed and goes on gives what it would have given. The full number: tests.chaos.replay_trials."""

from pathlib import Path

import pytest

from tests.chaos.replay_trials import ALL, ReplayReport, run_trials

pytestmark = pytest.mark.timeout(400)

TARGETS = ("engine", "engine + nats", ALL)
EVENTS = 8_000
"""Enough for the orders and fills that are counted below."""


async def test_a_killed_replay_gives_the_orders_fills_and_state_of_one_that_was_not(tmp_path: Path) -> None:
    report = ReplayReport()
    whole = await run_trials(tmp_path, 3, len(TARGETS), EVENTS, report, TARGETS)
    assert not report.failures, report.table()
    assert set(report.fired) == set(TARGETS)
    assert len(whole.orders) > 100
    assert len(whole.fills) > 50
