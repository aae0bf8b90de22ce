"""How fast the REST API answers while events flow: the state of 100 instruments, any tick of the past.

Real processes over a real NATS; the clients are in this process. ``lag``: how old an event is when the replica has it,
without and with readers.
"""

import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop

from bench.audit_probe import LAGS_VARIABLE, lags_folder
from bench.http_clients import HttpClients
from services.supervisor import Program, Supervisor
from tradebus.config import Settings

EVENTS_PER_S: Final = 20_000
INSTRUMENTS: Final = 100
REQUESTS_PER_S: Final = 500
PAST_READS: Final = 100
WARM_UP_S: Final = 10.0
MEASURE_S: Final = 10.0
READABLE_S_MAX: Final = 30.0


def api_settings() -> Settings:
    """Return a demo with one exchange and 100 instruments, without strategies."""
    bases = [f"c{number:02d}" for number in range(INSTRUMENTS)]
    return Settings.model_validate(
        {
            "mode": "demo",
            "instruments": [
                {
                    "exchange": "sim_alpha",
                    "name_exchange": f"{base.upper()}USDT",
                    "underlying": {"base": base, "quote": "usdt"},
                    "kind": "spot",
                    "spec": {
                        "price": {"tick_size": "0.01"},
                        "quantity": {"increment": "0.0001"},
                        "notional": {"min": "1"},
                    },
                }
                for base in bases
            ],
            "execution": {
                "sim_alpha": {"connector": "simulated", "balances": dict.fromkeys((*bases, "usdt"), "1000000")}
            },
            "market": {"sim_alpha": {"generator": {"seed": 1, "events_per_s": EVENTS_PER_S}}},
            "api": {"reading_without_key": True},
        }
    )


async def _measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name, lags_folder() as lags_name:
        folder = Path(name)
        lags = Path(lags_name) / "lags"
        supervisor = Supervisor(
            api_settings(),
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
        async with supervisor, HttpClients(supervisor.settings.api.listen.url) as clients:
            await asyncio.sleep(WARM_UP_S)
            gc.freeze()  # else looking for garbage takes the readers a tenth of a second, which would count
            phases = _Phases(supervisor, lags)
            alone = await phases.run(asyncio.sleep(MEASURE_S))
            first = Reads()  # makes once what does not change, such as the views of definitions
            await _timed(clients, "/v1/state", time.perf_counter(), first)
            state = Reads()
            with_reads = await phases.run(_read_state(clients, state))
            await _sequence(clients)
            await clients.get("/v1/state?at=0")  # starts the process
            past = Reads()
            with_past = await phases.run(_read_past(clients, past))
            newest = await _sequence(clients)
        return {
            "events_per_s": EVENTS_PER_S,
            "instruments": INSTRUMENTS,
            "ticks": newest,
            "state": {**state.result(), "requests_per_s": round(len(state.seconds) / MEASURE_S)},
            "first_state": first.result(),
            "past": past.result(),
            "lag_ms_p50": {"alone": alone.lag(50), "state read": with_reads.lag(50), "past read": with_past.lag(50)},
            "lag_ms_p99": {"alone": alone.lag(99), "state read": with_reads.lag(99), "past read": with_past.lag(99)},
            "cpu_percent": {"alone": alone.cpu, "state read": with_reads.cpu, "past read": with_past.cpu},
            "connections": clients.count,
        }


@dataclass(slots=True)
class Reads:
    """What readers met: how long answers took, and what was answered otherwise."""

    seconds: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    """By status and code."""

    def result(self) -> dict[str, Any]:
        """Return what is told of them."""
        ordered = sorted(self.seconds)
        times = {f"ms_p{each}": _percentile(ordered, each, 1e3) for each in (50, 99, 100)}
        return {"requests": len(ordered), **times, "refused": self.refused}


@dataclass(frozen=True, slots=True)
class _Phase:
    lags: list[int]
    cpu: dict[str, int]
    """Of one core, in per cent, by process."""

    def lag(self, percent: int) -> float | None:
        """Return a percentile of the replica's lag in milliseconds."""
        return _percentile(self.lags, percent, 1e-6)


class _Phases:
    """Runs one thing after the other, and says how the replica fared meanwhile."""

    def __init__(self, supervisor: Supervisor, lags: Path) -> None:
        self._file: Final = lags
        found = {name: supervisor.pid(name) for name in ("nats", "market", "engine", "execution", "audit")}
        self._processes: Final = {name: psutil.Process(pid) for name, pid in found.items() if pid is not None}
        self._processes["readers"] = psutil.Process()

    async def run(self, work: Awaitable[None]) -> _Phase:
        """Do something, and return what was meanwhile."""
        before, skipped, begun = self._cpu(), self._file.stat().st_size, time.perf_counter()
        await work
        took, after = time.perf_counter() - begun, self._cpu()
        found = array("q")
        with self._file.open("rb") as file:
            file.seek(skipped)
            content = file.read()
        found.frombytes(content[: len(content) // 8 * 8])
        return _Phase(sorted(found), {name: round((after[name] - before[name]) / took * 100) for name in before})

    def _cpu(self) -> dict[str, float]:
        return {name: sum(each.cpu_times()[:2]) for name, each in self._processes.items()}


async def _read_state(clients: HttpClients, into: Reads) -> None:
    """Ask for the state at an even rate; a request that waits for a connection counts from when it was due."""
    begun = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(round(REQUESTS_PER_S * MEASURE_S)):
        due = begun + number / REQUESTS_PER_S
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(_timed(clients, "/v1/state", due, into)))
    await asyncio.gather(*tasks)


async def _read_past(clients: HttpClients, into: Reads) -> None:
    """Ask for one tick of the past after the other, drawn from all that there are."""
    draw = random.Random(1)  # noqa: S311 - nothing secret
    newest = await _sequence(clients)
    for _ in range(PAST_READS):
        await _timed(clients, f"/v1/state?at={draw.randrange(newest)}", time.perf_counter(), into)


async def _timed(clients: HttpClients, path: str, begun: float, into: Reads) -> None:
    answer = await clients.get(path)
    if answer.status == 200:
        into.seconds.append(time.perf_counter() - begun)
    else:
        code = f"{answer.status} {json.loads(answer.body).get('code')}"
        into.refused[code] = into.refused.get(code, 0) + 1


async def _sequence(clients: HttpClients) -> int:
    """Return the newest tick, once the replica may be read."""
    deadline = time.monotonic() + READABLE_S_MAX
    while True:
        answer = await clients.get("/v1/trading", "identity")
        if answer.status == 200:
            return int(json.loads(answer.body)["sequence"])
        if time.monotonic() > deadline:
            raise RuntimeError(f"/v1/trading: {answer.status} {answer.body[:300]!r}")
        await asyncio.sleep(1.0)


def _percentile(ordered: list[Any], percent: int, factor: float) -> float | None:
    if not ordered:
        return None
    return round(float(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]) * factor, 2)


def measure() -> dict[str, Any]:
    """Return what was measured."""
    return uvloop.run(_measure())
