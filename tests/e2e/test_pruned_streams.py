"""A demo whose streams are pruned while it runs: whoever is killed finds what it needs, and goes on."""

import asyncio
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from services.supervisor import RestartPolicy
from tests.chaos.witness import Witness
from tests.support.demo import PATIENCE_S, Demo, demo_settings, running
from tests.support.engine_service import send_command
from tests.support.system import until
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.wire import subjects

OFTEN = ("engine.health.crashes_max=1000", "engine.snapshot.seconds=1", "audit.retention_hours=0")
PATIENT = RestartPolicy(wait_initial_s=0.05, wait_max_s=0.1, crashes_max=1_000)
LOST = ("engine", "audit")
KILLED = ("engine", "execution", "audit")


def streams_of(demo: Demo) -> list[str]:
    accounts = [demo.settings.account(exchange) for exchange in demo.settings.exchanges]
    return [
        subjects.audit_stream(demo.engine_id),
        subjects.cmd_stream(demo.engine_id),
        *(subjects.acct_stream(name) for name in accounts),
    ]


async def until_pruned(demo: Demo) -> dict[str, int]:
    """Return the first message of each stream once none of them begins where it did before."""
    before = {stream: (await demo.bus.journal_state(stream)).first_sequence for stream in streams_of(demo)}

    async def pruned() -> dict[str, int]:
        await send_command(
            demo.bus, demo.engine_id, TradingStateUpdate(TradingState.ENABLED, "operator"), command_id=uuid4().hex
        )
        firsts = {stream: (await demo.bus.journal_state(stream)).first_sequence for stream in before}
        return firsts if all(first > before[stream] for stream, first in firsts.items()) else {}

    found: dict[str, int] = await until(pruned, "every stream is pruned", PATIENCE_S)
    return found


@pytest.mark.timeout(300)
async def test_everybody_goes_on_behind_the_pruned_front_of_every_stream(tmp_path: Path) -> None:
    async with running(tmp_path, demo_settings(*OFTEN), PATIENT) as demo:
        witness = await Witness(demo.bus, demo.settings).start()
        try:
            await demo.wait_connected()
            await until_pruned(demo)
            before = await demo.data("engine")
            for name in KILLED:
                await demo.supervisor.kill(name)
            await asyncio.gather(*(demo.supervisor.restart(name) for name in KILLED))
            await demo.wait_connected()
            after = await demo.data("engine")
            assert after["sequence"] > before["durable_sequence"]
            assert after["epoch"] > before["epoch"]
            assert "beginning with a snapshot" in await demo.log("engine")
            await demo.wait_fills(2)

            # Volumes that are lost: both go on from the snapshot that the engine handed out.
            for name in LOST:
                await demo.supervisor.kill(name)
                await asyncio.to_thread(shutil.rmtree, demo.settings.runtime.data_dir / name / demo.engine_id)
            await asyncio.gather(*(demo.supervisor.restart(name) for name in LOST))
            await demo.wait_connected()
            assert "snapshot fetched that was handed out" in await demo.log("engine")
            assert (await demo.data("audit"))["begun_anew_at"] is not None
            await demo.wait_fills(2)
            rest = await demo.at_rest()
            await witness.beyond(int(rest["sequence"]))
            assert await witness.check(at_rest=True) > 0, "there were fills"
        finally:
            await witness.stop()
