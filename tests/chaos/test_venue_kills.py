"""Kill owners of a venue account: no order is sent twice, none vanishes. The full number: tests.chaos.venue_trials."""

from pathlib import Path

import pytest

from tests.chaos.venue_trials import run_trial
from tests.support.nats_server import NatsServer
from tests.support.venue_plants import PLANTS

pytestmark = pytest.mark.timeout(400)

KILLS = 5
BROKEN = {
    "send_before_the_intent": "sent twice|agree",
    "send_again": "sent twice",
    "take_silence_for_a_refusal": "agree",
}
"""Which promise a planted bug breaks."""


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


@pytest.mark.parametrize("planted", sorted(PLANTS))
async def test_a_planted_bug_is_noticed(tmp_path: Path, planted: str) -> None:
    server = NatsServer(tmp_path / "nats")
    try:
        with pytest.raises(AssertionError, match=BROKEN[planted]):
            (await run_trial(tmp_path, server, 7, 1, planted)).check()
    finally:
        server.stop()
