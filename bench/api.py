"""How fast the REST API answers while events flow: the state of 100 instruments, any tick of the past.

Real processes over a real NATS; the clients are in this process. ``lag``: how old an event is when the replica has it,
without and with readers.
"""

import asyncio
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench.audit_probe import LAGS_VARIABLE
from services.supervisor import Program, Supervisor
from tradebus.config import Settings

EVENTS_PER_S: Final = 20_000
INSTRUMENTS: Final = 100
REQUESTS_PER_S: Final = 500
PAST_READS: Final = 100
WARM_UP_S: Final = 10.0
MEASURE_S: Final = 10.0


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
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name:
        folder = Path(name)
        lags = folder / "lags"
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
        async with supervisor, aiohttp.ClientSession() as session:
            url = supervisor.settings.api.listen.url
            await asyncio.sleep(WARM_UP_S)
            alone = await _lags_while(lags, asyncio.sleep(MEASURE_S))
            reads: list[float] = []
            with_reads = await _lags_while(lags, _read_state(session, url, reads))
            await _get(session, f"{url}/v1/state?at=0")  # starts the process
            past: list[float] = []
            with_past = await _lags_while(lags, _read_past(session, url, past))
            newest = (await _get(session, f"{url}/v1/trading"))["sequence"]
        return {
            "events_per_s": EVENTS_PER_S,
            "instruments": INSTRUMENTS,
            "ticks": newest,
            "state": {**_times(reads), "requests_per_s": round(len(reads) / MEASURE_S)},
            "past": _times(past),
            "lag_ms_p50": {
                "alone": _median_ms(alone),
                "state read": _median_ms(with_reads),
                "past read": _median_ms(with_past),
            },
        }


async def _read_state(session: aiohttp.ClientSession, url: str, into: list[float]) -> None:
    """Ask for the state at an even rate; a request that waits for a connection counts from when it was due."""
    begun = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(round(REQUESTS_PER_S * MEASURE_S)):
        due = begun + number / REQUESTS_PER_S
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(_timed(session, f"{url}/v1/state", due, into)))
    await asyncio.gather(*tasks)


async def _read_past(session: aiohttp.ClientSession, url: str, into: list[float]) -> None:
    draw = random.Random(1)  # noqa: S311 - nothing secret
    for _ in range(PAST_READS):
        newest = (await _get(session, f"{url}/v1/trading"))["sequence"]
        await _timed(session, f"{url}/v1/state?at={draw.randrange(newest)}", time.perf_counter(), into)


async def _timed(session: aiohttp.ClientSession, url: str, begun: float, into: list[float]) -> None:
    await _get(session, url)
    into.append(time.perf_counter() - begun)


async def _get(session: aiohttp.ClientSession, url: str) -> Any:  # noqa: ANN401 - JSON
    async with session.get(url) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url}: {answer.status} {body[:300]!r}")
        return await answer.json() if "/v1/trading" in url else body


async def _lags_while(file: Path, work: Awaitable[None]) -> list[int]:
    before = len(_lags(file))
    await work
    return sorted(_lags(file)[before:])


def _lags(file: Path) -> "array[int]":
    found = array("q")
    found.frombytes(file.read_bytes())
    return found


def _times(seconds: list[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {
        "requests": len(ordered),
        **{
            f"ms_p{each}": round(ordered[min(len(ordered) - 1, len(ordered) * each // 100)] * 1e3, 1)
            for each in (50, 99)
        },
    }


def _median_ms(lags: list[int]) -> float | None:
    return round(lags[len(lags) // 2] / 1e6, 2) if lags else None


def measure() -> dict[str, Any]:
    """Return what was measured."""
    return asyncio.run(_measure())
