"""The API of the running demo tells one consistent story, and it is the engine's."""

import asyncio
import json
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.audit.api.stream.event import Topic
from services.audit.api.stream.limits import LIMITS
from services.supervisor import Supervisor
from tests.support.browser import CuttingProxy, browser
from tests.support.system import until
from tradebus.config import Flags, load_settings

ROOT = Path(__file__).resolve().parents[2]
FILLS_MIN = 12

Json = dict[str, Any]


class Api:
    """The API as a user sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, path: str, **headers: str) -> tuple[int, Json, str]:
        """Return status, body and tag."""
        async with self._session.get(self.url + path, headers=headers) as answer:
            body = await answer.json(content_type=None) if answer.status != 304 else {}
            return answer.status, body, answer.headers.get("ETag", "")

    async def get(self, path: str) -> Json:
        status, body, _ = await self.ask(path)
        assert status == 200, body
        return body

    async def text(self, path: str) -> str:
        async with self._session.get(self.url + path) as answer:
            return await answer.text()

    async def fills_until(self, sequence: int) -> list[Json]:
        """Return all fills up to a tick, the oldest first."""
        found: list[Json] = []
        cursor = ""
        while True:
            body = await self.get(f"/v1/trades?order=oldest&limit=50{cursor}")
            found += [row for row in body["data"] if row["sequence"] <= sequence]
            if body["page"]["next"] is None:
                return found
            cursor = f"&cursor={body['page']['next']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """The demo, trading."""
    settings = load_settings(Flags(config=ROOT / "config" / "tradebus.toml"))
    folder = tmp_path_factory.mktemp("demo")
    async with (
        Supervisor(settings, data_dir=folder, any_ports=True) as supervisor,
        aiohttp.ClientSession() as session,
    ):
        made = Api(session, supervisor.settings.api.listen.url)

        async def is_trading() -> bool:
            status, body, _ = await made.ask(f"/v1/trades?limit={FILLS_MIN}")
            return status == 200 and len(body["data"]) >= FILLS_MIN

        await until(is_trading, f"{FILLS_MIN} fills", 60)
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_replica_is_ready_and_equal(api: Api) -> None:
    ready = await api.get("/health/ready")
    assert ready["ready"] is True
    assert ready["replica"]["is_exact"] is True

    async def has_compared() -> bool:
        """A young engine has not published a hash yet; nothing but equality may follow."""
        verification = (await api.get("/v1/state"))["verification"]
        assert verification["equal"] is not False, verification
        return verification["equal"] is not None

    await until(has_compared, "a comparison with the engine's hash", 30)
    verification = (await api.get("/v1/state"))["verification"]
    assert (verification["equal"], verification["core"], verification["user"]) == (True, "equal", "equal")


async def test_sum_of_the_fills_is_the_position(api: Api) -> None:
    """Fills are a projection, positions are state: both come from the journal, by different ways."""
    state = await api.get("/v1/state")
    fills = await api.fills_until(state["sequence"])
    assert len(fills) >= FILLS_MIN
    net: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        net[fill["instrument"]] += Decimal(fill["quantity"]) * (1 if fill["side"] == "buy" else -1)
    for instrument in state["data"]["instruments"]:
        position = instrument["position"]
        held = Decimal(0)
        if position is not None:
            held = Decimal(position["quantity_abs"]) * (1 if position["side"] == "buy" else -1)
        assert net[instrument["name"]] == held, instrument["name"]


async def test_balances_moved_by_what_the_fills_say(api: Api) -> None:
    """What an account has more or less than at its start is price, quantity and fees of its fills."""
    started = (await api.get("/v1/audit/0"))["data"]["event"]
    begun = {
        (account["exchange"], asset): Decimal(amount)
        for account in started["accounts"]
        for asset, amount in account["simulation"]["balances"].items()
    }

    async def agree() -> bool:
        state = await api.get("/v1/state")
        expected = dict(begun)
        quotes = {each["name"]: (each["base"], each["quote"]) for each in state["data"]["instruments"]}
        for fill in await api.fills_until(state["sequence"]):
            base, quote = quotes[fill["instrument"]]
            sign = 1 if fill["side"] == "buy" else -1
            expected[fill["exchange"], base] += sign * Decimal(fill["quantity"])
            expected[fill["exchange"], quote] -= sign * Decimal(fill["value_quote"]) + Decimal(fill["fees"])
        found = {
            (asset["exchange"], asset["name"]): Decimal(asset["balance"]["total"]) for asset in state["data"]["assets"]
        }
        assert sum(found[asset] != begun[asset] for asset in begun) >= 2
        return found == expected

    # A fill and the balances after it are events of their own: between them the sum is ahead.
    await until(agree, "balances and fills agree")


async def test_every_fill_stands_in_the_journal_at_its_sequence(api: Api) -> None:
    body = await api.get("/v1/trades?limit=5")
    for fill in body["data"]:
        tick = (await api.get(f"/v1/audit/{fill['sequence']}"))["data"]
        trade = tick["event"]["data"]["trade"]
        assert (trade["id"], trade["cid"], trade["price"]) == (fill["id"], fill["cid"], fill["price"])
        life = (await api.get(f"/v1/orders/{fill['cid']}"))["data"]
        assert fill["sequence"] in [step["sequence"] for step in life["steps"] if step["kind"] == "filled"]
        decided = (await api.get(f"/v1/audit/{life['sequence_first']}"))["data"]
        sent = [request["cid"] for output in decided["outputs"] for request in output.get("opens_sent", ())]
        assert fill["cid"] in sent


async def test_sequences_never_go_back_and_tags_change_with_them(api: Api) -> None:
    last = -1
    for _ in range(20):
        status, body, tag = await api.ask("/v1/trading")
        assert status == 200
        assert body["sequence"] >= last
        last = body["sequence"]
        again, _, _ = await api.ask("/v1/trading", **{"If-None-Match": tag})
        assert again in {200, 304}

    async def moved_on() -> bool:
        return bool((await api.get("/v1/trading"))["sequence"] > last)

    await until(moved_on, "the next tick")


async def test_many_readers_at_once_get_whole_answers(api: Api) -> None:
    paths = ["/v1/state", "/v1/orders?limit=100", "/v1/trades", "/v1/audit?limit=200", "/v1/connectivity"] * 8
    answers = await asyncio.gather(*(api.ask(path) for path in paths))
    assert {status for status, _, _ in answers} == {200}
    for path, (_, body, _) in zip(paths, answers, strict=True):
        if path.startswith("/v1/audit"):
            sequences = [tick["sequence"] for tick in body["data"]]
            assert sequences == list(range(sequences[0], sequences[0] + 200))


async def test_links_are_healthy_and_young(api: Api) -> None:
    data = (await api.get("/v1/connectivity"))["data"]
    assert data["health"] == "healthy"
    for exchange in data["exchanges"]:
        assert exchange["market_data"]["age_ms"] < 2_000
        assert exchange["account"]["link"] == "healthy"
        assert exchange["account"]["owner"]


LISTEN = """(query) => {
    window.told = [];
    window.opened = 0;
    const source = new EventSource("/v1/stream" + query);
    source.onopen = () => { window.opened += 1; };
    for (const name of ["snapshot", "reset", "order", "position", "trade", "market"]) {
        source.addEventListener(name, (event) => window.told.push([event.lastEventId, name, event.data]));
    }
}"""
CONNECT = """(url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({type: "subscribe", topics: ["trading"]}));
    socket.onmessage = (message) => {
        const event = JSON.parse(message.data).event;
        if (event === "snapshot") { resolve(event); }
    };
    socket.onerror = () => resolve("refused");
})"""
HEARD = """([opened, events, trades]) => window.opened === opened && window.told.length >= events
    && window.told.filter((each) => each[1] === "trade").length >= trades"""
COUNT = """
    window.calls = {show: 0, add: 0, update: 0};
    const [show, add, update] = ["show", "add", "update"].map((name) => (data) => { window.calls[name] += 1; });
"""
CUTS = 3


async def test_page_about_streams_says_what_is_so(api: Api) -> None:
    """Its curl line and its program run, and its tables are complete."""
    page = (ROOT / "docs" / "streams.md").read_text()
    (line,) = re.findall(r"^    (curl .*)$", page, re.MULTILINE)
    told = (await run(*shlex.split(line.replace("http://localhost:8000", api.url)), ends=28)).split("\n\n")
    shown = re.findall(r"^```text\n(retry.*?)^```", page, re.MULTILINE | re.DOTALL)[0].split("\n\n")
    assert told[0] == shown[0] == "retry: 1000"
    for block in told[1:-1]:
        form = r"id: \d+(\.\d+)?@[0-9a-f]{8}\nevent: (snapshot|order|trade)\ndata: \{\"sequence\":.*\}"
        assert re.fullmatch(form, block), block
    assert told[1].split("\n")[1] == shown[1].split("\n")[1] == "event: snapshot"
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    printed = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    assert (
        await run(sys.executable, "-c", program.replace("localhost:8000", api.url.removeprefix("http://"))) == printed
    )
    tables = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert set(tables) == {*(topic.value for topic in Topic), "snapshot", "reset", "topics", "instruments", "max_rate"}
    assert f"{LIMITS.readers} streams at a time" in page
    assert f"{LIMITS.events:,} events or {LIMITS.bytes >> 20} MiB" in page
    metrics = await api.text("/metrics")
    for name in re.findall(r"`(?:tradebus_stream)?(_\w+)`", page[page.index("## Bounds") :]):
        assert f"\ntradebus_stream{name} " in metrics, name


async def run(*command: str, ends: int = 0) -> str:
    """Run a command and return what it prints; it must end like that."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == ends, command
    return printed.decode()


async def test_browser_keeps_its_stream_over_cuts_by_itself(api: Api) -> None:
    """An EventSource on our own page, through a proxy that cuts it: every fill once, as the list of fills has them."""
    host, port = api.url.removeprefix("http://").split(":")
    async with CuttingProxy(host, int(port)) as proxy, browser() as chromium:
        page = await chromium.new_page()
        await page.goto(f"{proxy.url}/docs")
        await page.evaluate(LISTEN, "?topics=order,position,trade")

        async def heard(opened: int, events: int, trades: int) -> bool:
            return bool(await page.evaluate(HEARD, [opened, events, trades]))

        for cut in range(1, CUTS + 1):
            await until(partial(heard, cut, 4 * cut, 0), f"events on connection {cut}", 60)
            assert proxy.cut() > 0
        await until(partial(heard, CUTS + 1, 4 * CUTS + 4, 2), "fills on the last connection", 60)
        told = [(name, json.loads(data)) for _, name, data in await page.evaluate("window.told")]
        assert [name for name, _ in told if name in {"snapshot", "reset"}] == ["snapshot"]
        begun = told[0][1]["sequence"]
        trades = [body["data"] for name, body in told if name == "trade"]
        fills = await api.fills_until(trades[-1]["sequence"])
        assert trades == [row for row in fills if row["sequence"] > begun]
        keys = [(body["sequence"], name, json.dumps(body)) for name, body in told]
        assert len(keys) == len(set(keys)), "nothing is told twice"
        assert [sequence for sequence, _, _ in keys] == sorted(sequence for sequence, _, _ in keys)
        # The script of the page about streams.
        (script,) = re.findall(
            r"^```js\n(.*?)^```", (ROOT / "docs" / "streams.md").read_text(), re.MULTILINE | re.DOTALL
        )
        await page.evaluate(f"() => {{ {COUNT}\n{script} }}")

        async def called() -> bool:
            return bool(await page.evaluate("window.calls.show === 1 && window.calls.update > 1"))

        await until(called, "the snapshot and the market", 60)
        # A websocket opens from our pages, and from no other.
        url = f"{proxy.url.replace('http', 'ws')}/v1/ws"
        assert await page.evaluate(CONNECT, url) == "snapshot"
        foreign = await chromium.new_page()
        await foreign.goto("data:text/html,<p>somebody else's</p>")
        assert await foreign.evaluate(CONNECT, url) == "refused"
