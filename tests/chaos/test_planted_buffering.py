"""A connection that keeps what it could not send is caught by an outage: the engine gets market data that are late."""

import sys
from pathlib import Path

import pytest

from services.supervisor import SERVICES, Program
from tests.chaos.outages import KILLED, Outage
from tests.chaos.trials import Report, run_trials

pytestmark = pytest.mark.timeout(400)


async def test_a_client_that_buffers_over_an_outage_is_caught(tmp_path: Path) -> None:
    planted = Program("market", (sys.executable, "-m", "tests.support.buffering"))
    programs = [planted, *(each for each in SERVICES if each.name != "market")]
    report = Report()
    await run_trials(tmp_path, [Outage(KILLED, 1.5, 2)], report, print, "the planted bug", programs=programs)
    assert "market data of a time without NATS" in report.table(())
