"""Kill the broker under the running demo and start it again, soon and late: the truth is told, nothing is lost."""

import asyncio
from pathlib import Path

import pytest

from tests.support.demo import PATIENCE_S, SERVICES, Demo, demo_settings, running
from tests.support.system import until

pytestmark = pytest.mark.timeout(400)

OUTAGES_S = (0.2, 3.0, 10.0)
NOTICED_S = 3.0
"""An outage that lasts at least so long must show in health and in the trading state."""
LOAD = ("market.sim_alpha.generator.events_per_s=1000", "market.sim_beta.generator.events_per_s=500")


async def wait_until_all_say_that_nats_is_away(demo: Demo) -> None:
    async def told() -> bool:
        for name in SERVICES:
            ready, reasons = await demo.ready(name)
            if ready or demo.supervisor.nats_url not in reasons.get("bus", ""):
                return False
        return True

    await until(told, "every service says that NATS is away", PATIENCE_S)


async def check_the_truth_is_told(demo: Demo) -> None:
    """Check what a person sees while the broker is away: nobody is ready, links are lost, the replica still answers."""
    await wait_until_all_say_that_nats_is_away(demo)

    async def journal_trouble() -> bool:
        return any("journal takes nothing" in reason for reason in (await demo.ready("engine"))[1].values())

    await until(journal_trouble, "the engine says that its ticks do not get to disk", PATIENCE_S)

    async def links_lost() -> bool:
        return (await demo.data("engine")).get("health") == "reconnecting"

    await until(links_lost, "the engine takes links as lost of which nothing is heard", PATIENCE_S)
    answer = await demo.api("/v1/state")
    assert answer["sequence"] > 0
    assert await demo.api("/health/ready") == {}, "an answer that is not 200 comes as nothing"


async def test_the_broker_may_be_killed_under_load_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path, demo_settings(*LOAD)) as demo:
        await demo.wait_connected()
        await demo.wait_fills(5)
        pids = {name: demo.supervisor.pid(name) for name in SERVICES}
        for outage_s in OUTAGES_S:
            begin = await demo.data("engine")
            await demo.supervisor.kill("nats")
            ended = asyncio.create_task(asyncio.sleep(outage_s))
            if outage_s > NOTICED_S:
                await check_the_truth_is_told(demo)
            elif outage_s >= NOTICED_S:
                await wait_until_all_say_that_nats_is_away(demo)
            await ended
            await demo.supervisor.restart("nats")
            await demo.wait_connected()
            await demo.wait_fills(5)
            after = await demo.data("engine")
            assert after["epoch"] == begin["epoch"], "the engine was not restarted"
        assert {name: demo.supervisor.pid(name) for name in SERVICES} == pids

        rest = await demo.at_rest()
        causes = await demo.check_accounts()
        assert all(causes.values())
        assert await demo.check_journal() >= rest["sequence"]
        assert (await demo.data("audit"))["by_kind"]["market_reconnecting"] > 0
