"""Kill owners of a venue account: no order is sent twice, none vanishes. The full number: tests.chaos.venue_trials."""

from pathlib import Path

import pytest

from tests.chaos.venue_trials import run_trial
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.timeout(400)

KILLS = 5


async def test_killed_owners_send_nothing_twice_and_leave_nothing_without_a_report(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats")
    try:
        report = await run_trial(tmp_path, server, 7, KILLS)
    finally:
        server.stop()
    print(report.table())
    report.check()
    assert sum(report.kills.values()) == KILLS
    assert len(report.owners) > KILLS
    assert len(report.record) > 20
