"""Kill and restart market, execution and audit in turn under the running demo; afterwards everything agrees."""

from pathlib import Path

import pytest

from tests.support.demo import PATIENCE_S, Demo, running
from tests.support.system import account_sum, send_market_order, until
from tradebus.core.model.side import Side

pytestmark = pytest.mark.timeout(400)


async def fall_due_while_away(demo: Demo, name: str, begin: int) -> None:
    """Let a fill fall due on every account while a service is away, and wait until that shows."""
    # Orders of ours, whatever the strategies do.
    await send_market_order(demo.bus, demo.engine_id, 0, 0, Side.BUY, "60000", "0.01")
    await send_market_order(demo.bus, demo.engine_id, 1, 3, Side.SELL, "60000", "0.01")

    async def noticed() -> bool:
        return (await demo.data("engine")).get("health") == "reconnecting"

    async def filled() -> bool:
        index = demo.settings.indexed_instruments()
        for exchange in index.exchanges:
            total = await account_sum(demo.bus, demo.settings.account(exchange), index)
            if not any(cause >= begin for cause, _ in total.trades):
                return False
        return True

    if name == "audit":
        # Nobody misses it; fills are journaled meanwhile.
        await until(filled, "every account has a fill while audit is away", PATIENCE_S)
    else:
        await until(noticed, f"the engine notices that {name} is gone", PATIENCE_S)


async def test_the_demo_survives_the_loss_of_market_execution_and_audit(tmp_path: Path) -> None:
    async with running(tmp_path) as demo:
        await demo.wait_connected()
        await demo.wait_fills(5)
        outages: dict[str, tuple[int, int]] = {}
        for name in ("market", "execution", "audit"):
            await demo.supervisor.kill(name)
            begin = (await demo.data("engine"))["sequence"]
            await fall_due_while_away(demo, name, begin)
            outages[name] = (begin, (await demo.data("engine"))["sequence"])
            await demo.supervisor.restart(name)
            await demo.wait_connected()
            await demo.wait_fills(2)

        await demo.at_rest()
        for account, causes in (await demo.check_accounts()).items():
            for name, (begin, end) in outages.items():
                during = [cause for cause in causes if begin <= cause <= end]
                assert during, f"{account}: no fill fell due while {name} was away (ticks {begin} to {end})"
