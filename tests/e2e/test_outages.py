"""Kill and restart market, execution and audit in turn under the running demo; afterwards everything agrees."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.runtime.nats import connector
from services.supervisor import Supervisor
from tests.support.system import account_sum, get, send_market_order, until
from tradebus.bus.interface import Bus
from tradebus.config import Flags, load_settings
from tradebus.core.model.side import Side

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Supervisor]:
    settings = load_settings(Flags(config=ROOT / "config" / "tradebus.toml"))
    async with Supervisor(settings, data_dir=tmp_path, any_ports=True) as supervisor:
        yield supervisor


@pytest.fixture
async def bus(demo: Supervisor) -> AsyncIterator[Bus]:
    connected = await connector(demo.settings, "operator", "test")(lambda event: None)
    yield connected
    await connected.close()


async def data(supervisor: Supervisor, name: str) -> dict[str, Any]:
    status = await supervisor.status(name)
    return {} if status is None else dict(status["data"])


async def wait_for_fills(supervisor: Supervisor, more_than: int) -> int:
    async def enough() -> int:
        fills = (await data(supervisor, "engine")).get("fills", 0)
        return fills if fills > more_than else 0

    return int(await until(enough, f"more than {more_than} fills"))


async def wait_connected(supervisor: Supervisor) -> None:
    async def healthy() -> bool:
        return (await data(supervisor, "engine")).get("health") == "healthy"

    await supervisor.wait_ready()
    await until(healthy, "every link is healthy again")


async def test_the_demo_survives_the_loss_of_market_execution_and_audit(demo: Supervisor, bus: Bus) -> None:
    index = demo.settings.indexed_instruments()
    accounts = {demo.settings.account(exchange): number for number, exchange in enumerate(index.exchanges)}
    await wait_connected(demo)
    fills = await wait_for_fills(demo, 5)
    outages: dict[str, tuple[int, int]] = {}
    for name in ("market", "execution", "audit"):
        await demo.kill(name)
        begin = (await data(demo, "engine"))["sequence"]
        if name != "audit":
            # An order of ours falls due while the service is away, whatever the strategies do.
            await send_market_order(bus, "demo", 0, 0, Side.BUY, "60000", "0.01")
            await send_market_order(bus, "demo", 1, 3, Side.SELL, "60000", "0.01")

            async def unhealthy() -> bool:
                return (await data(demo, "engine")).get("health") == "reconnecting"

            await until(unhealthy, f"the engine notices that {name} is gone")
        else:
            await wait_for_fills(demo, fills + 2)
        end = (await data(demo, "engine"))["sequence"]
        outages[name] = (begin, end)
        await demo.restart(name)
        await wait_connected(demo)
        fills = await wait_for_fills(demo, fills + 2)

    # At rest: nothing feeds the engine any more, so that everybody comes to the same sequence.
    await demo.kill("market")
    base = demo.api_url

    async def trading_off() -> bool:
        return bool((await data(demo, "engine"))["health"] == "reconnecting")

    await until(trading_off, "the engine notices that the market is gone")

    async def at_rest() -> dict[str, Any]:
        engine, replica = await data(demo, "engine"), await data(demo, "audit")
        same = engine["sequence"] == replica.get("sequence")
        return {"engine": engine, "replica": replica} if same else {}

    rest = await until(at_rest, "replica and engine stand at the same sequence")
    assert rest["engine"]["hash"] == rest["replica"]["hash"]
    assert rest["engine"]["hash"]["user"]

    state = await get(f"{base}/v1/positions")
    assets = await get(f"{base}/v1/assets")
    positions = {item["instrument"]: item for item in state["data"]}
    held = {(item["exchange"], item["name"]): Decimal(item["balance"]["total"]) for item in assets["data"]}
    for account, exchange in accounts.items():
        total = await account_sum(bus, account, index)
        for name, (begin, end) in outages.items():
            during = [trade for cause, trade in total.trades if begin <= cause <= end]
            assert during, f"{account}: no fill fell due while {name} was away (ticks {begin} to {end})"
        ids = [trade.id for _, trade in total.trades]
        assert len(ids) == len(set(ids)), "a fill stands twice in the account journal"
        for instrument in index.instruments_of(index.find_exchange_index(index.exchanges[exchange])):
            found = positions.get(instrument.name)
            signed = Decimal(0)
            if found is not None:
                signed = Decimal(found["quantity_abs"]) * (1 if found["side"] == "buy" else -1)
            assert signed == total.net[instrument.index], instrument.name
        exchange_id = index.exchanges[exchange]
        for name, amount in demo.settings.execution[exchange_id].balances.items():
            asset = index.find_asset_index(exchange_id, name)
            assert held[exchange_id.value, name] == amount + total.moved[asset], (account, name)
