"""Full disks and a broker that stands, under load. The full series: ``python -m tests.chaos outages`` and ``disks``."""

from pathlib import Path

import pytest

from tests.chaos.disks import DiskFull, small_disks
from tests.chaos.outages import FROZEN, Outage
from tests.chaos.trials import Report, run_trials
from tests.chaos.volume import MountRefused

pytestmark = pytest.mark.timeout(400)


async def test_without_room_or_broker_nothing_is_lost_and_all_comes_back_by_itself(tmp_path: Path) -> None:
    report = Report()
    try:
        with small_disks(tmp_path / "data") as disks:
            faults = [
                DiskFull("nats", disks["nats"], 2),
                DiskFull("engine", disks["engine"], 2),
                Outage(FROZEN, 3.0, 2),
            ]
            await run_trials(tmp_path, faults, report, print, "python -m tests.chaos disks")
    except MountRefused as error:
        pytest.skip(str(error))
    assert not report.failures, report.table(())
    assert report.fired == {fault.name: 1 for fault in faults}
