"""What operates the running demo: metrics by convention, logs that tell one order's way, users that lack nothing."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.support.demo import PATIENCE_S, ROOT, SERVICES, Demo, running
from tests.support.system import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (ROOT / "docs" / "operation.md").read_text()
UNITS = ("seconds", "bytes", "ratio", "total", "info")
COUNTED = re.compile(r"_(sequence|position|events|ticks|readers|owned|connected|exact|state|messages)$")
"""What a gauge without a unit may count: things, or places in a journal; or a state, 0 or 1."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with running(tmp_path_factory.mktemp("demo")) as demo:
        await demo.wait_connected()
        await demo.wait_fills(3)
        yield demo


async def metrics(demo: Demo, name: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{demo.supervisor.http_url(name)}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.parametrize("name", SERVICES)
async def test_metrics_are_named_by_convention(demo: Demo, name: str) -> None:
    text = await metrics(demo, name)
    families = [each for each in text_string_to_metric_families(text) if each.name.startswith("tradebus_")]
    assert {"tradebus_bus_events", "tradebus_heartbeats", "tradebus_service_state"} <= {each.name for each in families}
    for family in families:
        told = f"{family.name}_total" if family.type == "counter" else family.name
        assert family.name.endswith("_created") or f"| `{told}` |" in PAGE, told
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name), family.name
        assert family.documentation, family.name
        assert not re.search(r"_(ms|us|ns|millis|kb|mb|percent)(_|$)", family.name), family.name
        if family.type == "counter":
            names = {sample.name for sample in family.samples} - {f"{family.name}_created"}
            assert names <= {f"{family.name}_total"}, family.name
        elif family.type == "histogram":
            assert family.name.endswith("_seconds"), family.name
        elif family.type == "gauge" and not family.name.endswith("_created"):
            assert family.name.endswith(UNITS) or COUNTED.search(family.name), family.name
            assert not family.name.endswith("_total"), family.name
        for sample in family.samples:
            assert not set(sample.labels) & {"cid", "trade", "key", "address", "sequence"}, "one series for each"


@pytest.mark.parametrize("name", SERVICES)
async def test_nobody_lacks_a_permission(demo: Demo, name: str) -> None:
    text = await metrics(demo, name)
    for operation in ("publish", "subscription"):
        assert f'tradebus_bus_refusals_total{{operation="{operation}"}} 0.0' in text
    assert demo.settings.nats.users_dir is not None, "with users"


async def test_one_id_leads_from_the_market_event_to_the_fill(demo: Demo) -> None:
    """The order's id is in a line of each service that it passed, the engine's with the tick that decided it."""

    async def followed() -> dict[str, Any]:
        """Return the lines about the newest order that every service has logged, by service and words."""
        found = {name: lines(await demo.log(name)) for name in ("engine", "execution", "audit")}
        told = {line["cid"] for line in found["execution"] if line["event"] == "fill told"}
        told &= {line["cid"] for line in found["audit"] if line["event"] == "fill replicated"}
        told &= {line["cid"] for line in found["engine"] if line["event"] == "fill processed"}
        told &= {line["cid"] for line in found["engine"] if line["event"] == "order sent"}
        if not told:
            return {}
        cid = min(told)
        return {line["event"]: line for each in found.values() for line in each if line["cid"] == cid}

    way = await until(followed, "an order that all three have logged", PATIENCE_S)
    sent, replicated = way["order sent"], way["fill replicated"]
    assert (sent["service"], way["fill told"]["service"], replicated["service"]) == ("engine", "execution", "audit")
    decided = (await demo.api(f"/v1/audit/{sent['sequence']}"))["data"]
    assert sent["cid"] in [each["cid"] for output in decided["outputs"] for each in output.get("opens_sent", ())]
    assert decided["event"]["type"] == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", sent["caused_by"]).lower()
    filled = (await demo.api(f"/v1/audit/{replicated['sequence']}"))["data"]
    assert filled["event"]["data"]["trade"]["cid"] == sent["cid"]
    assert sent["sequence"] < replicated["sequence"]


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines about orders; every line is one JSON object with time, level, service and words."""
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        entry = json.loads(line)
        assert {"time", "level", "service", "instance", "mode", "event"} <= set(entry), line
        if "cid" in entry:
            found.append(entry)
    return found
