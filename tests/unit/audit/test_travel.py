"""What the API tells of the past is what it would have told then, on every read."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from services.audit.fold import Fold
from services.audit.travel.machine import TookTooLong, TooManyWaiting
from services.audit.travel.question import PastAnswer, Question
from tests.support.audit_api import AuditApi
from tests.support.audit_run import EngineRun, messages_of
from tests.support.past import LocalPast, archive_run, fold_until
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.files import segment_files

STATE_PATHS = (
    "/v1/state",
    "/v1/state?fields=trading,assets",
    "/v1/trading",
    "/v1/connectivity",
    "/v1/connectivity/sim_alpha",
    "/v1/assets",
    "/v1/assets/sim_alpha/usdt",
    "/v1/instruments",
    "/v1/instruments/sim_beta-btc_usdt",
    "/v1/positions",
    "/v1/statistics?interval=daily",
    "/v1/statistics/equity",
    "/v1/statistics/instruments/sim_alpha-btc_usdt",
    "/v1/statistics/assets/usdt?interval=annual252",
)
ROW_PATHS = (
    "/v1/positions/exited?limit=5",
    "/v1/orders?limit=7",
    "/v1/orders?limit=400&order=oldest",
    "/v1/orders?status=active",
    "/v1/trades?limit=9",
    "/v1/trades?order=oldest&strategy=quoter&limit=1000",
)
TRIALS = 6


@pytest.fixture(scope="module")
def archive(run: EngineRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    archive_run(folder, messages_of(run.batches()), checkpoint_every=40)
    return folder


@pytest.fixture
async def past_api(run: EngineRun, folded: Fold, archive: Path) -> AsyncIterator[AuditApi]:
    async with AuditApi(folded, reads=LocalPast(archive)) as made:
        await made.store(run.batches())
        yield made


def at(path: str, moment: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{moment}"


@pytest.mark.parametrize("seed", range(TRIALS))
async def test_the_past_is_what_was_then(past_api: AuditApi, run: EngineRun, seed: int) -> None:
    sequence = random.Random(seed).randrange(len(run.ticks))
    then = fold_until(messages_of(run.batches()), sequence)
    async with AuditApi(then) as api_then:
        for path in (*STATE_PATHS, *ROW_PATHS):
            expected = await api_then.envelope(path)
            found = await past_api.envelope(at(path, f"at={sequence}"))
            assert found["data"] == expected["data"], path
            assert found.get("page") == expected.get("page"), path
            assert found["sequence"] == sequence
            assert found["time_engine"] == expected["time_engine"]
            assert found["verification"]["equal"] is not False
        for row in (await api_then.data("/v1/orders?limit=9"))[::4]:
            expected = await api_then.data(f"/v1/orders/{row['cid']}")
            assert await past_api.data(f"/v1/orders/{row['cid']}?at={sequence}") == expected


async def test_a_tag_of_the_past_holds_for_good(past_api: AuditApi) -> None:
    for path in ("/v1/state?at=301", "/v1/orders?at=301", "/v1/trades?at=301", "/v1/state/diff?from=1&to=301"):
        first = await past_api.get(path)
        assert first.headers["cache-control"] == "no-cache"
        again = await past_api.get(path, **{"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (HTTPStatus.NOT_MODIFIED, b"")
    other = await past_api.get(
        "/v1/state?at=302", **{"If-None-Match": (await past_api.get("/v1/state?at=301")).headers["etag"]}
    )
    assert other.status_code == HTTPStatus.OK


async def test_a_time_names_the_last_tick_at_or_before_it(past_api: AuditApi, run: EngineRun) -> None:
    tick = run.ticks[700]
    same = max(each.sequence for each in run.ticks if each.time_ns == tick.time_ns)
    for path in ("/v1/trading", "/v1/trades"):
        body = await past_api.envelope(f"{path}?at_time={_text(tick.time_ns)}")
        assert body["sequence"] == same
        body = await past_api.envelope(f"{path}?at_time={_text(tick.time_ns - 1)}")
        assert body["sequence"] == min(each.sequence for each in run.ticks if each.time_ns == tick.time_ns) - 1
    beyond = await past_api.envelope(f"/v1/trading?at_time={_text(run.ticks[-1].time_ns + 1)}")
    assert beyond["sequence"] == run.ticks[-1].sequence
    zoned = _text(tick.time_ns).replace("Z", "+00:00")
    assert (await past_api.envelope(f"/v1/trading?at_time={zoned}"))["sequence"] == same
    await past_api.problem(f"/v1/trading?at_time={_text(run.ticks[0].time_ns - 1)}", 410, "pruned")


def _text(time_ns: int) -> str:
    seconds, ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("at=-1", ["at"]),
        ("at=x", ["at"]),
        ("at_time=yesterday", ["at_time"]),
        ("at_time=2026-13-01T00:00Z", ["at_time"]),
        ("at=3&at_time=2026-11-22T13:00Z", ["at_time"]),
        ("at=3&att=4", ["att"]),
        ("at=3&at=4", ["at"]),
    ],
)
async def test_moments_that_are_none_are_refused(past_api: AuditApi, query: str, names: list[str]) -> None:
    for path in ("/v1/state", "/v1/orders", "/v1/instruments/sim_alpha-btc_usdt"):
        body = await past_api.problem(f"{path}?{query}", 422, "invalid_parameters")
        assert [error["name"] for error in body["errors"]] == names


@pytest.mark.parametrize("time", ["2999-01-01T00:00Z", "9999-12-31T23:59:59-14:00"])
async def test_moments_that_are_to_come_have_no_tick(past_api: AuditApi, time: str) -> None:
    for path in ("/v1/state", "/v1/orders", "/v1/instruments/sim_alpha-btc_usdt"):
        body = await past_api.problem(f"{path}?at_time={time}", 404, "no_such_tick")
        assert body["sequence"] == past_api.fold.sequence


async def test_what_else_is_wrong_is_told_as_of_then(past_api: AuditApi, run: EngineRun) -> None:
    await past_api.problem(f"/v1/state?at={len(run.ticks)}", 404, "no_such_tick")
    await past_api.problem(f"/v1/trades?at={len(run.ticks)}", 404, "no_such_tick")
    body = await past_api.problem("/v1/instruments/sim_alpha-btc_usd?at=5", 404, "unknown_instrument")
    assert body["near"][0] == "sim_alpha-btc_usdt"
    body = await past_api.problem("/v1/state?fields=trade&at=5", 422, "invalid_parameters")
    assert body["errors"][0]["near"][0] == "trading"
    assert body["instance"] == "/v1/state"


async def test_without_an_archive_there_is_no_state_of_the_past_but_rows(api: AuditApi) -> None:
    await api.problem("/v1/state?at=5", 410, "not_archived")
    await api.problem("/v1/audit/5/state", 410, "not_archived")
    await api.problem("/v1/state/diff?from=5&to=6", 410, "not_archived")
    assert (await api.envelope("/v1/trades?at=5"))["sequence"] == 5


async def test_damaged_checkpoints_cost_time_and_nothing_else(run: EngineRun, folded: Fold, tmp_path: Path) -> None:
    archive_run(tmp_path, messages_of(run.batches()), checkpoint_every=60)
    checkpoints = Checkpoints(tmp_path)
    for number, sequence in enumerate(checkpoints.sequences()):
        path = checkpoints.extras_path(sequence) if number % 2 else checkpoints.path(sequence)
        path.write_bytes(path.read_bytes()[:-3])
    async with AuditApi(folded, reads=LocalPast(tmp_path)) as api:
        await api.store(run.batches())
        then = fold_until(messages_of(run.batches()), 900)
        async with AuditApi(then) as api_then:
            assert await api.data("/v1/state?at=900") == await api_then.data("/v1/state")


async def test_a_damaged_archive_is_told(run: EngineRun, folded: Fold, tmp_path: Path) -> None:
    archive_run(tmp_path, messages_of(run.batches()), checkpoint_every=10_000)
    (segment,) = segment_files(tmp_path)
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    async with AuditApi(folded, reads=LocalPast(tmp_path)) as api:
        await api.store(run.batches())
        body = await api.problem("/v1/state?at=1200", 503, "archive_unreadable")
        assert segment.name in body["detail"]


async def test_the_state_at_a_tick_is_a_resource_too(past_api: AuditApi) -> None:
    assert await past_api.envelope("/v1/audit/77/state") == await past_api.envelope("/v1/state?at=77")


async def test_fields_select_of_the_state(past_api: AuditApi) -> None:
    whole = await past_api.data("/v1/state")
    assert await past_api.data("/v1/state?fields=trading,health") == {
        "trading": whole["trading"],
        "health": whole["health"],
    }
    some = await past_api.data("/v1/state?fields=instruments, assets")
    assert some == {"assets": whole["assets"], "instruments": whole["instruments"]}
    body = await past_api.problem("/v1/state?fields=instrument,", 422, "invalid_parameters")
    assert [error["found"] for error in body["errors"]] == ["instrument", ""]


def changed(before: Any, after: Any) -> bool:
    return bool(before != after)


@pytest.mark.parametrize(("first", "second"), [(400, 700), (700, 400), (400, 403), (16, 17)])
async def test_a_diff_turns_one_state_into_the_other(past_api: AuditApi, first: int, second: int) -> None:
    body = await past_api.envelope(f"/v1/state/diff?from={first}&to={second}")
    data = body["data"]
    assert body["sequence"] == second
    assert (data["before"]["sequence"], data["after"]["sequence"]) == (first, second)
    before, after = [await past_api.data(f"/v1/state?at={each}") for each in (first, second)]
    assert data["changes"]
    for change in data["changes"]:
        assert _place(before, change["path"]) == change["before"], change
        assert _place(after, change["path"]) == change["after"], change
        assert changed(change["before"], change["after"])
    named = {change["path"].split("/")[1] for change in data["changes"]}
    assert {name for name in before if changed(before[name], after[name])} == named


async def test_a_diff_that_cannot_be_is_refused(past_api: AuditApi, run: EngineRun) -> None:
    assert (await past_api.data("/v1/state/diff?from=9&to=9"))["changes"] == []
    await past_api.problem(f"/v1/state/diff?from=9&to={len(run.ticks)}", 404, "no_such_tick")
    wrong = await past_api.problem("/v1/state/diff?from=x&top=2", 422, "invalid_parameters")
    assert [error["name"] for error in wrong["errors"]] == ["top", "from", "to"]


def _place(value: Any, path: str) -> Any:
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list):
            value = (
                next((item for item in value if _is_called(item, name)), None)
                if not name.isdecimal()
                else value[int(name)]
            )
    return value


def _is_called(item: Any, name: str) -> bool:
    if not isinstance(item, dict):
        return False
    own = [item[key] for key in ("name", "id", "cid", "strategy") if isinstance(item.get(key), str)]
    return name in own or any(name == f"{item.get('exchange')}-{each}" for each in own)


class Refusing:
    """A past that has no time."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.archived = None

    async def bring(self, sequence: int) -> bool:
        return True

    async def ask(self, question: Question) -> PastAnswer:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(TooManyWaiting("32 wait"), 429, "too_many_past_reads"), (TookTooLong("10 s"), 503, "past_too_slow")],
)
async def test_who_cannot_be_answered_now_may_come_back(folded: Fold, error: Exception, status: int, code: str) -> None:
    async with AuditApi(folded, reads=Refusing(error)) as api:
        response = await api.get("/v1/state?at=5")
        assert response.headers["retry-after"] == "1"
        await api.problem("/v1/state?at=5", status, code)
