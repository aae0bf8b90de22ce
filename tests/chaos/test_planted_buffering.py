"""A connection that keeps what it could not send is caught by an outage: the engine gets market data that are late."""

import sys
from pathlib import Path

import pytest

from services.supervisor import SERVICES, Program
from tests.chaos.outages import KILLED, Outage
from tests.chaos.trials import Report, run_trials

pytestmark = pytest.mark.timeout(400)

OUTAGES_MAX = 6


async def test_a_client_that_buffers_over_an_outage_is_caught(tmp_path: Path) -> None:
    """What was buffered is lost again where the market service is back before the engine: so there are some outages."""
    planted = Program("market", (sys.executable, "-m", "tests.support.buffering"))
    programs = [planted, *(each for each in SERVICES if each.name != "market")]
    report = Report()
    for number in range(OUTAGES_MAX):
        folder = tmp_path / str(number)
        await run_trials(folder, [Outage(KILLED, 1.5, 2)], report, print, "the planted bug", programs=programs)
        if report.failures:
            break
    assert "market data of a time without NATS" in report.table(())
