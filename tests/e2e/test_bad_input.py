"""Attack the running demo over the bus and over HTTP: what is bad is refused, kept and told, and all else goes on."""

import asyncio
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import Message as HttpHeaders

import pytest
import pytest_asyncio

from tests.support.attack import Attack, Intruder, command_attacks, flips, heartbeat_attacks, market_attacks
from tests.support.demo import PATIENCE_S, Demo, demo_settings, running
from tests.support.system import until
from tradebus.bus.message import Message
from tradebus.wire import subjects
from tradebus.wire.codec.market import market_batch_from_bytes

SEED = 20240808
FLOOD = 5_000
FLIPS = 300

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """One demo for all attacks that it must survive."""
    # On a server without users: what a service that may publish there sends by mistake must do no harm either.
    async with running(tmp_path_factory.mktemp("demo"), demo_settings("nats.users=false")) as demo:
        await demo.wait_connected()
        yield demo


async def genuine_batch(demo: Demo, subject: str) -> bytes:
    """Return a batch that the market service publishes."""
    seen: list[bytes] = []

    def keep(message: Message) -> None:
        if market_batch_from_bytes(message.payload).items:
            seen.append(message.payload)

    subscription = await demo.bus.subscribe(subject, keep)

    async def one() -> bytes:
        return seen[0] if seen else b""

    batch: bytes = await until(one, f"a batch on {subject}", PATIENCE_S)
    await subscription.unsubscribe()
    return batch


async def check_goes_on(demo: Demo) -> None:
    """Check that every service is ready, nothing was ended or restarted, and trades are still made."""
    await demo.wait_connected()
    await demo.wait_fills(3)
    data = await demo.data("engine")
    assert data["trading"] == "enabled"
    status = await demo.supervisor.status("engine")
    assert status is not None
    assert "failed" not in await demo.log("engine")


async def metric(demo: Demo, name: str, sample: str) -> float:
    """Return a sample of a service's metrics, 0 where there is none."""

    def ask() -> str:
        url = f"{demo.supervisor.http_url(name)}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - http, to ourselves
            return str(answer.read().decode())

    found = re.search(rf"^{re.escape(sample)} (\S+)$", await asyncio.to_thread(ask), re.MULTILINE)
    return float(found.group(1)) if found else 0.0


async def test_bad_messages_are_counted_and_kept_with_the_reason_and_the_engine_goes_on(demo: Demo) -> None:
    alpha, beta = subjects.md("sim_alpha", 0), subjects.md("sim_beta", 0)
    attacks = [
        *market_attacks(alpha, await genuine_batch(demo, alpha), SEED),
        *market_attacks(beta, await genuine_batch(demo, beta), SEED + 1),
        *heartbeat_attacks("market", SEED + 2),
        *heartbeat_attacks("execution", SEED + 3),
        *command_attacks(demo.engine_id, SEED + 4),
        Attack("noise on a replay's feed", subjects.md_replay(), b"\xff\xff", "expected a MarketBatch"),
    ]
    pids = {name: demo.supervisor.pid(name) for name in ("market", "engine", "execution", "audit")}
    before = (await demo.data("engine"))["dead_letters"]
    async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
        for attack in attacks:
            intruder.publish(attack.subject, attack.payload, attack.headers)
        # Nobody reads these in the demo; they must at least do no harm.
        for subject in (subjects.flow(demo.engine_id), subjects.hb("audit", "x"), subjects.dlq("engine"), "nothing"):
            intruder.publish(subject, b"\xff\xff")
        assert await intruder.settle() == ""

    missing: list[Attack] = []

    async def kept() -> bool:
        letters = [letter for letter in await demo.dead_letters() if letter.service == "engine"]
        missing[:] = [attack for attack in attacks if not any(attack.is_kept_in(letter) for letter in letters)]
        return not missing

    try:
        await until(kept, "every attack is kept with its reason", PATIENCE_S)
    finally:
        assert not [(attack.name, attack.subject, attack.reason) for attack in missing]
    assert (await demo.data("engine"))["dead_letters"] - before >= len(attacks)
    assert await metric(demo, "engine", "tradebus_dead_letters_total") >= len(attacks)
    assert await metric(demo, "engine", 'tradebus_bus_events_total{kind="HandlerFailed"}') == 0
    await check_goes_on(demo)
    assert {name: demo.supervisor.pid(name) for name in pids} == pids


async def test_a_message_over_the_servers_limit_ends_its_sender_and_nobody_else(demo: Demo) -> None:
    async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
        intruder.publish(subjects.md("sim_alpha", 0), bytes(2 * 1024 * 1024))
        assert await intruder.settle() != ""
    await check_goes_on(demo)


async def test_a_flood_of_bad_messages_is_counted_and_holds_nothing_up(demo: Demo) -> None:
    before = (await demo.data("engine"))["dead_letters"]
    async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
        for number in range(FLOOD):
            intruder.publish(subjects.md("sim_alpha", 0), b"\xff%d" % number)
            if number % 500 == 0:
                assert await intruder.settle() == ""
        assert await intruder.settle() == ""

    async def counted() -> bool:
        return bool((await demo.data("engine"))["dead_letters"] - before >= FLOOD)

    await until(counted, f"{FLOOD} bad messages are counted", PATIENCE_S)
    await check_goes_on(demo)


async def test_flipped_bits_never_deafen_the_engine(demo: Demo) -> None:
    subject = subjects.md("sim_alpha", 0)
    genuine = await genuine_batch(demo, subject)
    async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
        for payload in flips(genuine, FLIPS, SEED):
            intruder.publish(subject, payload)
        assert await intruder.settle() == ""

    async def heard_again() -> bool:
        """Whether the newest ticks hold as much of sim_alpha as its market publishes, and it is of now."""
        since = datetime.now(UTC) - timedelta(seconds=5)
        ticks = (await demo.api("/v1/audit?limit=200")).get("data", [])
        events = [tick["event"] for tick in ticks if tick["event"].get("exchange") == "sim_alpha"]
        received = [event["time_received"] for event in events if event["type"] == "market_event"]
        return sum(datetime.fromisoformat(f"{time[:26]}Z") > since for time in received) > 50

    await until(heard_again, "events of sim_alpha reach the engine again", PATIENCE_S)
    assert await metric(demo, "engine", 'tradebus_bus_events_total{kind="HandlerFailed"}') == 0
    await check_goes_on(demo)


BAD_REQUESTS = [
    ("GET", "/v1/trades?limit=0", 422, "limit"),
    ("GET", "/v1/trades?limit=many&colour=red&limit=2", 422, "colour"),
    ("GET", "/v1/trades?cursor=99999999999999999999999999", 422, "cursor"),
    ("GET", "/v1/orders?exchange=moon&instrument=moon-btc_usdt", 422, "moon-btc_usdt"),
    ("GET", "/v1/audit?from=-1", 422, "from"),
    ("GET", "/v1/audit?from=9&to=3", 422, "to"),
    ("GET", "/v1/audit/abc", 422, "sequence"),
    ("GET", "/v1/audit/999999999999", 404, "no_such_tick"),
    ("GET", "/v1/instruments/sim_alpha-btc_usd", 404, "sim_alpha-btc_usdt"),
    ("GET", "/v1/orders/%27%3B%20drop", 404, "unknown_order"),
    ("GET", "/v1/nothing", 404, "no_such_path"),
    ("GET", "/v1/%00%ff%0d%0aX-Evil:1", 404, "no_such_path"),
    ("GET", "//v1/state", 404, "no_such_path"),
    ("GET", "/docs/files/../../../../etc/passwd", 404, "no_such_path"),
    ("GET", "/docs/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 404, "no_such_path"),
    ("GET", f"/v1/state?x={'a' * 8_000}", 422, "x"),
    ("GET", f"/v1/state?x={'a' * 20_000}", 414, "url_too_long"),
    ("GET", f"/{'b' * 50_000}", 414, "url_too_long"),
    ("POST", "/v1/state", 405, "method_not_allowed"),
    ("PUT", "/v1/trading", 405, "method_not_allowed"),
    ("DELETE", "/v1/orders", 405, "method_not_allowed"),
    ("OPTIONS", "/v1/state", 405, "method_not_allowed"),
    ("NONSENSE", "/v1/state", 400, "malformed_request"),
]


async def request(demo: Demo, method: str, target: str) -> tuple[int, HttpHeaders, bytes]:
    """Send a request exactly as it is and return status, headers and body."""

    def ask() -> tuple[int, HttpHeaders, bytes]:
        address = demo.settings.api.listen
        connection = http.client.HTTPConnection(address.host, address.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


async def test_bad_requests_are_answered_with_problems_that_say_what_is_wrong(demo: Demo) -> None:
    for method, target, status, words in BAD_REQUESTS:
        found, headers, body = await request(demo, method, target)
        shown = f"{method} {target[:60]}: {found} {body[:300]!r}"
        assert found == status, shown
        assert headers["Content-Type"] == "application/problem+json", shown
        problem = json.loads(body)
        assert problem["status"] == status, shown
        assert words in body.decode(), shown
        assert "Traceback" not in body.decode(), shown
        assert '.py"' not in body.decode(), shown
        assert len(body) < 4_096, f"{method} {target[:60]}: an answer of {len(body)} bytes"


async def test_a_head_request_has_no_body_and_an_address_beyond_all_limits_is_refused(demo: Demo) -> None:
    status, headers, body = await request(demo, "HEAD", "/v1/state")
    assert (status, headers["Content-Type"], body) == (200, "application/json", b"")
    status, headers, body = await request(demo, "GET", f"/{'b' * 200_000}")
    # Refused by the HTTP parser already, which does not say what it is that is too long.
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] == "malformed_request"
    assert len(body) < 1_000
    await check_goes_on(demo)
