"""How soon the demo fills its first order, and how much memory it holds.

    python -m bench --only demo

From the moment that NATS is up and the services are about to start to the first fill that the REST API shows; then the
resident memory of all processes, this one's supervisor included.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from services.supervisor import Supervisor
from tradebus.config import load_settings

REPEATS: Final = 3
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.02


async def _first_fill() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="tradebus-bench-") as name:
        supervisor = Supervisor(load_settings(), data_dir=Path(name), any_ports=True)
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
            begun = time.perf_counter()
            async with supervisor:
                url = f"{supervisor.api_url}/v1/trades?limit=1"
                while not await _has_fill(session, url):  # noqa: ASYNC110 - another process has it
                    await asyncio.sleep(POLL_S)
                seconds = time.perf_counter() - begun
                me = psutil.Process()
                held = [me, *me.children(recursive=True)]
                spent_s = sum(sum(each.cpu_times()[:2]) for each in held[1:])
                mib = sum(each.memory_info().rss for each in held) / 2**20
    return {"seconds": seconds, "cpu_s": spent_s, "mib": mib}


async def _has_fill(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200 and bool((await answer.json())["data"])
    except aiohttp.ClientConnectionError:
        return False


def measure() -> dict[str, Any]:
    """Return medians and spread of each figure."""
    runs = [asyncio.run(_first_fill()) for _ in range(REPEATS)]
    found: dict[str, Any] = {}
    for name in ("seconds", "cpu_s", "mib"):
        values = [run[name] for run in runs]
        found[name] = {
            "median": round(statistics.median(values), 2),
            "lowest": round(min(values), 2),
            "highest": round(max(values), 2),
        }
    return found
