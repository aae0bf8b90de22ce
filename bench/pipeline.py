"""How much goes through the services: market, engine, journal and replica as processes over a real NATS.

For each rate: whether it was sustained, how old an event is when the replica has it, and the CPU each process takes;
with a venue's account, how old it is when an order that follows from it arrives at the account's owner. Once with an
fsync for every batch of the journal and once with the server's default.
"""

import asyncio
import math
import sys
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from bench.audit_probe import LAGS_VARIABLE
from services.runtime import ServiceName
from services.supervisor import Program, Supervisor
from tradebus.config import Settings

RATES: Final = (20_000, 50_000, 75_000, 100_000, 150_000)
ORDER_RATES: Final = (20_000, 50_000)
REPEATS: Final = 3
"""Of each rate, each a system of its own; the median is reported, and the spread."""
WARM_UP_S: Final = 3.0
MEASURE_S: Final = 8.0
DRAIN_S: Final = 10.0
SUSTAINED_SHARE: Final = 0.98
PUBLISHED_SHARE: Final = 0.75
PROCESSES: Final = ("market", "engine", "execution", "audit", "nats")


def pipeline_settings(events_per_s: int, *, sync_always: bool, strategy: str = "") -> Settings:
    """Return a demo with one exchange at a rate, without strategies unless one is named: it is the path that counts."""
    bases = ("btc", "eth", "sol")
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
            "market": {"sim_alpha": {"generator": {"seed": 1, "events_per_s": events_per_s}}},
            "nats": {"sync_always": sync_always},
            "engine": {
                "trading_at_start": bool(strategy),
                "strategies": [{"id": "bench", "class": strategy}] if strategy else [],
            },
        }
    )


async def measure_rate(events_per_s: int, *, sync_always: bool, with_orders: bool = False) -> dict[str, Any]:
    """Return what one rate gave; ``with_orders`` there is an account of a venue, and a strategy that orders."""
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name:
        folder = Path(name)
        lags = folder / "lags"
        files = {"lag": lags}
        programs = [Program("market"), Program("engine"), Program("execution")]
        if with_orders:
            files |= {"arrived": folder / "lags.arrived", "ready": folder / "lags.ready"}
            programs[1:] = [_probe("engine"), _probe("execution")]
        supervisor = Supervisor(
            pipeline_settings(
                events_per_s, sync_always=sync_always, strategy="bench.order_probe:Stamping" if with_orders else ""
            ),
            data_dir=folder,
            any_ports=True,
            environment={LAGS_VARIABLE: str(lags)},
            programs=(*programs, Program("audit", (sys.executable, "-m", "bench.audit_probe"))),
        )
        async with supervisor:
            await asyncio.sleep(WARM_UP_S)
            begin = await _look(supervisor)
            skipped = {each: path.stat().st_size if path.exists() else 0 for each, path in files.items()}
            await asyncio.sleep(MEASURE_S)
            end = await _look(supervisor)
            caught_up = await _catches_up(supervisor, end["engine"]["sequence"])
        found: dict[str, list[int]] = {}
        for each, path in files.items():
            values = array("q")
            values.frombytes(path.read_bytes()[skipped[each] :] if path.exists() else b"")
            found[each] = sorted(values)
        return _result(events_per_s, begin, end, found, caught_up=caught_up)


def _probe(service: ServiceName) -> Program:
    return Program(service, (sys.executable, "-m", "bench.order_probe", service))


async def _look(supervisor: Supervisor) -> dict[str, Any]:
    said: dict[str, Any] = {"cpu": _cpu(supervisor), "time": asyncio.get_running_loop().time()}
    for name in ("market", "engine", "audit"):
        status = await supervisor.status(name)
        said[name] = {} if status is None else status["data"]
    return said


def _cpu(supervisor: Supervisor) -> dict[str, float]:
    times: dict[str, float] = {}
    for name in PROCESSES:
        pid = supervisor.pid(name)
        if pid is not None:
            used = psutil.Process(pid).cpu_times()
            times[name] = used.user + used.system
    return times


async def _catches_up(supervisor: Supervisor, sequence: int) -> bool:
    deadline = asyncio.get_running_loop().time() + DRAIN_S
    while asyncio.get_running_loop().time() < deadline:
        status = await supervisor.status("audit")
        if status is not None and status["data"].get("sequence", -1) >= sequence:
            return True
        await asyncio.sleep(0.05)
    return False


def _result(
    rate: int, begin: Mapping[str, Any], end: Mapping[str, Any], lags: Mapping[str, list[int]], *, caught_up: bool
) -> dict[str, Any]:
    seconds = end["time"] - begin["time"]
    processed = end["engine"]["market_events"] - begin["engine"]["market_events"]
    lost = end["engine"]["gaps"] - begin["engine"]["gaps"]
    conflated = end["engine"]["conflated"] - begin["engine"]["conflated"]
    published = _published(end) - _published(begin)
    is_kept_up = processed >= SUSTAINED_SHARE * published and not lost and not conflated and caught_up
    return {
        "target_per_s": rate,
        "published_per_s": round(published / seconds),
        "processed_per_s": round(processed / seconds),
        # A slow flow comes in storms and is only on average as fast as asked; a fast one is even.
        "sustained": is_kept_up and published >= PUBLISHED_SHARE * rate * seconds,
        "gaps": lost,
        "conflated": conflated,
        **{f"{name}_us_p{each}": _percentile(values, each) for name, values in lags.items() for each in (50, 99)},
        "orders": len(lags.get("arrived", ())),
        "cpu_us_per_event": {
            name: round((used - begin["cpu"].get(name, 0.0)) * 1e6 / max(processed, 1), 2)
            for name, used in end["cpu"].items()
        },
    }


def _published(said: Mapping[str, Any]) -> int:
    return sum(feed["items"] for feed in said["market"]["feeds"].values())


def _percentile(ordered: list[int], percent: int) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] / 1_000, 1)


def measure(rates: Sequence[int] = RATES, *, sync_always: bool, with_orders: bool = False) -> list[dict[str, Any]]:
    """Return every rate's result: of the repeats, the one with the median lag, and the others' spread beside it."""
    results: list[dict[str, Any]] = []
    for rate in rates:
        runs = [
            asyncio.run(measure_rate(rate, sync_always=sync_always, with_orders=with_orders)) for _ in range(REPEATS)
        ]
        key = "arrived_us_p50" if with_orders else "lag_us_p50"
        runs.sort(key=lambda run: math.inf if run[key] is None else run[key])
        middle = dict(runs[len(runs) // 2])
        middle["sustained_runs"] = sum(run["sustained"] for run in runs)
        middle["runs"] = runs
        results.append(middle)
    return results
