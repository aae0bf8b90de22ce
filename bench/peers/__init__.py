"""Run other systems over the same kind of feed, on the same machine and at the same time as ours.

They are installed into an environment of their own on first use, because they bring compiled parts and pins of theirs.
Each run is a process; what counts is CPU time, and the median of several runs.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ENVIRONMENT: Final = Path(".tradebus/peers")
EVENTS: Final = 1_000_000
ORDER_EVERY: Final = 1_000
REPEATS: Final = 3
PEERS: Final = {
    "nautilus_trader": ("nautilus_trader==1.221.0", "nautilus.py", 200_000),
    "hftbacktest": ("hftbacktest==2.4.4", "hft.py", 1_000_000),
}
WORKLOADS: Final = {"no-op strategy": 0, f"an order every {ORDER_EVERY:,} events": ORDER_EVERY}


def measure() -> dict[str, dict[str, Any]]:
    """Return the median rate of every peer and workload, in events per CPU second."""
    python = _environment()
    results: dict[str, dict[str, Any]] = {}
    for name, (_, script, events) in PEERS.items():
        results[name] = {}
        for workload, every in WORKLOADS.items():
            rates = [_run(python, script, events, every) for _ in range(REPEATS)]
            results[name][workload] = {
                "median": round(statistics.median(rates)),
                "lowest": round(min(rates)),
                "highest": round(max(rates)),
            }
    return results


def _environment() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    pins = [pin for pin, _, _ in PEERS.values()]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins], check=True)
    return python


def _run(python: Path, script: str, events: int, every: int) -> float:
    command = [str(python), str(Path(__file__).with_name(script)), str(events), str(every)]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    if found.returncode:
        raise RuntimeError(f"{script}: exit {found.returncode}: {found.stderr.strip()[-500:]}")
    result = json.loads(found.stdout)
    if every and not result["orders"]:
        raise RuntimeError(f"{script}: sent no orders")
    return float(result["rate"])
