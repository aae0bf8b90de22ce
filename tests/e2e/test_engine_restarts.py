"""The engine of a running demo is killed again and again: it goes on where it was, and nothing happens twice."""

import asyncio
from pathlib import Path

import pytest

from services.supervisor import RestartPolicy
from tests.chaos.witness import Witness
from tests.support.demo import PATIENCE_S, ROOT, Demo, demo_settings, running
from tests.support.system import until
from tradebus.bus.message import JournalMessage
from tradebus.config import Flags, Settings, load_settings
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.resumed import EngineResumed
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects

KILLS = 4
PATIENT = RestartPolicy(wait_initial_s=0.05, wait_max_s=0.1, crashes_max=1_000)
ADDED = """
[[instruments]]
exchange = "sim_alpha"
name_exchange = "ADAUSDT"
underlying = { base = "ada", quote = "usdt" }
kind = "spot"
[instruments.spec]
price = { tick_size = "0.0001" }
quantity = { increment = "0.1", min = "0.1" }
notional = { min = "5" }
"""
OFTEN = "engine.health.crashes_max=1000"
"""The engine is killed more often than a real one would crash; it must not be halted for that."""


async def check_journals(demo: Demo, sequence: int) -> None:
    """Read every journal from its beginning, at least up to a tick, and check it, at rest."""
    witness = await Witness(demo.bus, demo.settings).start()
    try:
        await witness.beyond(sequence)
        assert await witness.check(at_rest=True) > 0, "there were fills"
    finally:
        await witness.stop()


async def run_records(demo: Demo) -> list[tuple[int, int, type]]:
    """Return (message, epoch, kind) of every record that begins a run."""
    verifier = AuditVerifier()
    found: list[tuple[int, int, type]] = []

    def take(message: JournalMessage) -> None:
        batch = verifier.accept(message)
        found.extend(
            (message.sequence, batch.head.engine_epoch, type(tick.event))
            for tick in batch.ticks
            if isinstance(tick.event, EngineStarted | EngineResumed)
        )

    reader = await demo.bus.consume(subjects.audit_stream(demo.engine_id), 1, take)
    try:
        await reader.wait_caught_up()
    finally:
        await reader.stop()
    return found


@pytest.mark.timeout(300)
async def test_a_killed_engine_goes_on_where_it_was(tmp_path: Path) -> None:
    async with running(tmp_path, demo_settings(OFTEN), PATIENT) as demo:
        await demo.wait_connected()
        for kill in range(1, KILLS + 1):
            await demo.wait_fills(2)
            before = await demo.data("engine")
            await demo.supervisor.kill("engine")
            await demo.supervisor.restart("engine")
            await demo.wait_connected()
            after = await demo.data("engine")
            assert after["sequence"] > before["durable_sequence"]
            assert after["epoch"] > before["epoch"], f"after kill {kill}"
            assert after["trading"] == "enabled"
        await demo.wait_fills(2)
        rest = await demo.at_rest()
        await demo.check_accounts()
        await check_journals(demo, int(rest["sequence"]))
        records = await run_records(demo)
        assert [kind for _, _, kind in records] == [EngineStarted, *[EngineResumed] * KILLS]
        assert all(message == epoch for message, epoch, _ in records)


def grown_settings(folder: Path) -> Settings:
    """Return the demo's settings with a pair more, behind all others, on an asset that nobody traded before."""
    text = (ROOT / "config" / "tradebus.toml").read_text()
    changed = (
        text.replace("# The accounts.", f"{ADDED}\n# The accounts.")
        .replace('sol = "500" }', 'sol = "500", ada = "1000" }', 1)
        .replace('sol = "150" }', 'sol = "150", ada = "0.9" }', 1)
        .replace('"sim_alpha-sol_usdt"', '"sim_alpha-sol_usdt", "sim_alpha-ada_usdt"', 1)
    )
    path = folder / "tradebus.toml"
    path.write_text(changed)
    return load_settings(Flags(config=path))


@pytest.mark.timeout(300)
async def test_a_system_that_is_stopped_and_started_again_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as demo:
        await demo.wait_connected()
        await demo.wait_fills(3)
        last = int((await demo.data("engine"))["sequence"])
    async with running(tmp_path) as demo:
        await demo.wait_connected()
        assert (await demo.data("engine"))["sequence"] > last
        assert "engine resumed" in await demo.log("engine")
        await demo.wait_fills(3)
        rest = await demo.at_rest()
        await demo.check_accounts()
        await check_journals(demo, int(rest["sequence"]))
    async with running(tmp_path, grown_settings(tmp_path)) as demo:
        await demo.wait_connected()

        async def is_traded() -> bool:
            orders = await demo.api("/v1/orders?instrument=sim_alpha-ada_usdt")
            return bool(orders.get("data"))

        await until(is_traded, "an order for the instrument that is new", PATIENCE_S)
        rest = await demo.at_rest()
        await demo.check_accounts()
        await check_journals(demo, int(rest["sequence"]))
    async with running(tmp_path, fresh=True) as demo:

        async def afresh() -> bool:
            return "engine started" in await demo.log("engine")

        await asyncio.wait_for(until(afresh, "the engine begins afresh", PATIENCE_S), PATIENCE_S)
        assert [kind for _, _, kind in await run_records(demo)] == [EngineStarted]
