"""An answer that is given again before the routes is the one that the routes would give, in every way."""

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from services.audit.api.access import Role
from services.audit.api.cache import AnswerCache
from services.audit.api.entrance import Entrance
from services.audit.api.security import Guard, Receive, Scope, Send
from services.audit.lag import Lag
from services.audit.metrics import AuditMetrics
from tests.support.audit_api import BODY_BYTES_MAX, AuditApi, new_fold
from tests.support.audit_run import START_NS, Hashed, batches_of
from tests.support.builders import engine_started, public_trade, spot_definition
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import index_instruments
from tradebus.core.risk.interface import RiskManager
from tradebus.journal.sealed import SealedBatch

INSTRUMENTS = 24
"""So many that the whole state is worth compressing."""


class TwoWays:
    """The same API asked with and without the short way; both have the same answers at hand."""

    def __init__(self, api: AuditApi, next_batch: Sequence[SealedBatch]) -> None:
        self.api = api
        self.next_batch = next_batch
        self.now_s = 0.0
        self.to_routes = 0
        api.app.state.cache = AnswerCache(self._clock)
        self._routes = api.app.build_middleware_stack()
        api.app.middleware_stack = self._count
        self._metrics = CollectorRegistry()
        long_way = Entrance(api.app, api.doorkeeper, api.rates, BODY_BYTES_MAX)
        self.long = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(Guard(long_way, AuditMetrics(self._metrics))), base_url="http://audit"
        )

    def _clock(self) -> float:
        """Return a time that moves on at every look, so that building takes some."""
        self.now_s += 0.001
        return self.now_s

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.to_routes += 1
        await self._routes(scope, receive, send)

    async def check(self, method: str, path: str, headers: dict[str, str], *, is_short: bool) -> httpx2.Response:
        """Ask both ways, and compare everything that is said; the short way goes past the routes, or does not."""
        long = await self.long.request(method, path, headers=headers)
        before = self.to_routes
        short = await self.api.client.request(method, path, headers=headers)
        assert (self.to_routes == before) is is_short
        assert short.status_code == long.status_code
        assert sorted(short.headers.multi_items()) == sorted(long.headers.multi_items())
        assert short.content == long.content
        assert _requests(self.api.registry) == _requests(self._metrics)
        return short


def _requests(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Return how many requests were counted by route and status."""
    return {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "tradebus_api_request_seconds_count"
    }


@pytest.fixture
async def ways() -> AsyncIterator[TwoWays]:
    """An API of a state that is worth compressing, and two ticks that are still to come, the last a command's."""
    index = index_instruments([spot_definition(ExchangeId.SIM_ALPHA, f"c{number}") for number in range(INSTRUMENTS)])
    started = engine_started(index=index, accounts=(), engine_id="demo")
    engine = Engine(started, [], RiskManager())
    ticks = [engine.start(START_NS)]
    ticks += [
        engine.process(public_trade(150, time_ns=START_NS + at, trade_id=str(at)), START_NS + at) for at in range(2)
    ]
    ticks.append(engine.process(TradingStateUpdate(TradingState.DISABLED, "ann", "c-1"), START_NS + 2))
    batches = batches_of([Hashed(tick, None) for tick in ticks], started, ticks_max=1)
    async with AuditApi(new_fold()) as api:
        await api.feed(batches[:2])
        made = TwoWays(api, batches[2:])
        yield made
        await made.long.aclose()


@pytest.mark.parametrize("path", ["/v1/state", "/v1/instruments", "/v1/statistics/equity"])
@pytest.mark.parametrize("encoding", ["gzip, br", "identity"])
async def test_answers_are_the_same_both_ways(ways: TwoWays, path: str, encoding: str) -> None:
    taken = {"Accept-Encoding": encoding}
    first = await ways.check("GET", path, taken, is_short=True)
    assert first.status_code == HTTPStatus.OK
    is_packed = encoding != "identity" and path != "/v1/statistics/equity"
    assert first.headers.get("content-encoding") == ("gzip" if is_packed else None)
    assert first.json()["sequence"] == 1
    await ways.check("HEAD", path, taken, is_short=True)
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*", '"other"'):
        await ways.check("GET", path, {**taken, "If-None-Match": known}, is_short=True)
        await ways.check("HEAD", path, {**taken, "If-None-Match": known}, is_short=True)


@pytest.mark.parametrize(
    "path", ["/v1/trading", "/v1/nothing", "/v1/state?fields=trading", "/v1/state?x=1", "/v1/state/"]
)
async def test_all_else_goes_to_the_routes(ways: TwoWays, path: str) -> None:
    await ways.check("GET", path, {}, is_short=False)
    await ways.check("GET", path, {}, is_short=False)
    await ways.check("POST", "/v1/state", {}, is_short=False)


async def test_kept_answer_is_given_while_it_is_fresh_and_a_new_one_after(ways: TwoWays) -> None:
    await ways.check("GET", "/v1/state", {}, is_short=True)
    await ways.api.feed(ways.next_batch[:1])
    kept = await ways.check("GET", "/v1/state", {}, is_short=True)
    assert kept.json()["sequence"] == 1
    ways.now_s += 1.0
    new = await ways.api.get("/v1/state")
    assert new.json()["sequence"] == 2
    assert new.headers["etag"] != kept.headers["etag"]


async def test_an_answer_after_a_command_was_applied_shows_what_it_did(ways: TwoWays) -> None:
    kept = await ways.check("GET", "/v1/state", {}, is_short=True)
    await ways.api.feed(ways.next_batch)
    new = await ways.check("GET", "/v1/state", {}, is_short=True)
    assert (kept.json()["data"]["trading"], new.json()["data"]["trading"]) == ("enabled", "disabled")
    assert new.json()["sequence"] == 3


async def test_who_may_not_read_is_refused_both_ways(ways: TwoWays) -> None:
    reader = ways.api.key(Role.VIEWER)
    await ways.check("GET", "/v1/state", {}, is_short=True)
    ways.api.doorkeeper.reading_without_key = False
    await ways.check("GET", "/v1/state", reader, is_short=True)
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        refused = await ways.check("GET", "/v1/state", headers, is_short=False)
        assert refused.status_code == HTTPStatus.UNAUTHORIZED


async def test_replica_that_is_behind_is_said_to_be_both_ways(ways: TwoWays) -> None:
    await ways.check("GET", "/v1/state", {}, is_short=True)
    ways.api.lag = Lag(50_000, 100, 2_001)
    behind = await ways.check("GET", "/v1/state", {}, is_short=False)
    assert behind.json()["code"] == "replica_behind"
    ways.api.lag = Lag(5, 1, 1)
    ways.api.is_caught_up = False
    assert (await ways.check("GET", "/v1/state", {}, is_short=False)).json()["code"] == "replica_behind"
    ways.api.is_caught_up = True
    assert (await ways.check("GET", "/v1/state", {}, is_short=True)).status_code == HTTPStatus.OK
