"""What two hundred streams cost: how late events are at the readers, and how much later the replica is for it.

One running system, market to replica, some thousand events a second; phases without and with readers take turns, so
that a slow moment of the machine meets both.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from array import array
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from bench.audit_probe import LAGS_VARIABLE, lags_folder
from bench.pipeline import pipeline_settings
from bench.stream_ticks import measure_ticks
from services.supervisor import Program, Supervisor
from tradebus.config import Settings

READERS: Final = 200
EVENTS_PER_S: Final = 20_000
WARM_UP_S: Final = 5.0
PHASE_S: Final = 8.0
ROUNDS: Final = 4
PATH: Final = "/v1/stream"


def stream_settings() -> Settings:
    """Return the pipeline's settings with a strategy that trades, so that there are orders and fills to tell of."""
    settings = pipeline_settings(EVENTS_PER_S, sync_always=False).model_dump(by_alias=True, mode="json")
    settings["engine"] = {
        "trading_at_start": True,
        "strategies": [
            {
                "id": "ema",
                "class": "tradebus.strategies.ema_cross:EmaCross",
                "params": {"fast": 100, "slow": 400},
            }
        ],
    }
    settings["api"]["reading_without_key"] = True
    return Settings.model_validate(settings)


def measure() -> dict[str, Any]:
    """Return what the phases gave."""
    ticks = asyncio.run(measure_ticks())
    results = asyncio.run(_measure())
    return {**results, "summary": {**ticks, **results["summary"]}}


async def _measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name, lags_folder() as lags_name:
        folder = Path(name)
        lags = Path(lags_name) / "lags"
        supervisor = Supervisor(
            stream_settings(),
            data_dir=folder,
            any_ports=True,
            environment={LAGS_VARIABLE: str(lags)},
            programs=(
                Program("market"),
                Program("engine"),
                Program("execution"),
                Program("audit", (sys.executable, "-m", "bench.audit_probe")),
            ),
        )
        async with supervisor:
            await asyncio.sleep(WARM_UP_S)
            alone: list[dict[str, Any]] = []
            streamed: list[dict[str, Any]] = []
            for _ in range(ROUNDS):
                alone.append(await _phase(supervisor, lags))
                async with _readers(supervisor) as process:
                    streamed.append(await _phase(supervisor, lags, process))
        return {"readers": READERS, "alone": alone, "streamed": streamed, "summary": _summary(alone, streamed)}


@asynccontextmanager
async def _readers(supervisor: Supervisor) -> AsyncIterator[asyncio.subprocess.Process]:
    host, port = supervisor.api_url.removeprefix("http://").split(":")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.stream_clients",
        host,
        port,
        PATH,
        str(READERS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        said = await asyncio.wait_for(process.stdout.readline(), 60)
        if said.strip() != b"open":
            raise RuntimeError("the readers could not open their streams")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _phase(
    supervisor: Supervisor, lags: Path, readers: asyncio.subprocess.Process | None = None
) -> dict[str, Any]:
    """Return lag, CPU and memory of the audit service over a phase, and what the readers say of it."""
    await asyncio.sleep(1.0)
    skipped = lags.stat().st_size  # noqa: ASYNC240 - nobody waits for this loop
    pid = supervisor.pid("audit")
    assert pid is not None
    audit = psutil.Process(pid)
    begin = audit.cpu_times()
    if readers is not None:
        assert readers.stdin is not None
        readers.stdin.write(b"begin\n")
    await asyncio.sleep(PHASE_S)
    end = audit.cpu_times()
    told: dict[str, Any] = {}
    if readers is not None:
        assert readers.stdin is not None
        assert readers.stdout is not None
        readers.stdin.write(b"end\n")
        told = json.loads(await readers.stdout.readline())
    found = array("q")
    with lags.open("rb") as file:
        file.seek(skipped)
        content = file.read()
    found.frombytes(content[: len(content) // 8 * 8])
    ordered = sorted(found)
    return {
        "events_per_s": round(len(ordered) / PHASE_S),
        "lag_ms_p50": _milliseconds(ordered, 50),
        "lag_ms_p99": _milliseconds(ordered, 99),
        "audit_cpu_percent": round((end.user + end.system - begin.user - begin.system) / PHASE_S * 100, 1),
        "audit_mib": round(audit.memory_info().rss / 2**20, 1),
        **({"told": told} if told else {}),
    }


def _milliseconds(ordered: list[int], percent: int) -> float:
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] / 1e6, 2) if ordered else -1.0


def _summary(alone: list[dict[str, Any]], streamed: list[dict[str, Any]]) -> Mapping[str, float]:
    """Return the medians over the phases."""

    def median(phases: list[dict[str, Any]], *names: str) -> float:
        found: list[float] = []
        for phase in phases:
            value: Any = phase
            for name in names:
                value = value[name]
            found.append(-1.0 if value is None else float(value))
        return round(statistics.median(found), 2)

    return {
        "events_per_s": median(streamed, "events_per_s"),
        "lag_ms_p50_alone": median(alone, "lag_ms_p50"),
        "lag_ms_p50_streamed": median(streamed, "lag_ms_p50"),
        "lag_ms_p99_alone": median(alone, "lag_ms_p99"),
        "lag_ms_p99_streamed": median(streamed, "lag_ms_p99"),
        "audit_cpu_percent_alone": median(alone, "audit_cpu_percent"),
        "audit_cpu_percent_streamed": median(streamed, "audit_cpu_percent"),
        "audit_mib_alone": median(alone, "audit_mib"),
        "audit_mib_streamed": median(streamed, "audit_mib"),
        "told_per_s": round(median(streamed, "told", "events") / PHASE_S),
        "step_ms_p50": median(streamed, "told", "steps", "p50"),
        "step_ms_p99": median(streamed, "told", "steps", "p99"),
        "market_ms_p50": median(streamed, "told", "market", "p50"),
        "market_ms_p99": median(streamed, "told", "market", "p99"),
        "oldest_ms_p99": median(streamed, "told", "oldest", "p99"),
        "resets": sum(phase["told"]["resets"] for phase in streamed),
    }
