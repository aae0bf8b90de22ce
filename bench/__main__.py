"""Run every benchmark: print tables, write `bench.json` (or the file given). `make bench`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import (
    api,
    codec,
    demo,
    engine,
    memory,
    peers,
    pipeline,
    recovery,
    replay,
    sizes,
    stages,
    state_hash,
    streams,
    tables,
)
from tradebus.core import COMPILED


class Run:
    """What was asked for, what has been measured so far, and where tables go."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options: Final = options
        self.console: Final = Console(highlight=False)
        self.results: Final[dict[str, Any]] = {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "compiled": COMPILED,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    def show(self, part: str, found: Any, table: Callable[[Any], Any]) -> None:  # noqa: ANN401 - JSON
        """Keep what a part measured, and print it."""
        self.results[part] = found
        self.console.print(table(found))


def _peers(run: Run) -> None:
    ours = run.results.get("engine", {}).get("compiled", {})
    run.show("peers", peers.measure(), lambda found: tables.peers(found, ours))


def _journal_path(part: str) -> Callable[[Run], None]:
    """Return what measures the path from market to replica or to an account's owner, with each way to sync."""
    with_orders = part == "orders"

    def measure(run: Run) -> None:
        rates = run.options.rates or (pipeline.ORDER_RATES if with_orders else pipeline.RATES)
        run.results[part] = {}
        for sync, sync_always in (("fsync for every batch", True), ("the server's default", False)):
            if sync_always or not run.options.sync_always:
                found = pipeline.measure(rates, sync_always=sync_always, with_orders=with_orders)
                run.results[part][sync] = found
                run.console.print(tables.orders(sync, found) if with_orders else tables.pipeline(sync, found))
                run.console.print(tables.cpu(found))

    return measure


PARTS: Final[Mapping[str, Callable[[Run], None]]] = {
    "engine": lambda run: run.show("engine", engine.measure_both(), tables.engine),
    "hash": lambda run: run.show("hash", state_hash.measure(), tables.state_hash),
    "peers": _peers,
    "memory": lambda run: run.show("memory", memory.measure(is_long=run.options.long), tables.memory),
    "codec": lambda run: run.show("codec", codec.measure(), tables.codec),
    "sizes": lambda run: run.show("sizes", sizes.measure(run.options.futures), tables.sizes),
    "replay": lambda run: run.show("replay", replay.measure(), tables.replay),
    "recovery": lambda run: run.show("recovery", recovery.measure(), tables.recovery),
    "stages": lambda run: run.show("stages", stages.measure(), tables.stages),
    "pipeline": _journal_path("pipeline"),
    "orders": _journal_path("orders"),
    "demo": lambda run: run.show("demo", demo.measure(), tables.demo),
    "api": lambda run: run.show("api", api.measure(), tables.api),
    "streams": lambda run: run.show("streams", streams.measure(), tables.streams),
}
"""What can be measured, in the order of a whole run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and return the exit code."""
    parser = argparse.ArgumentParser("python -m bench", description="measure, print tables, write JSON")
    parser.add_argument("--only", choices=PARTS, nargs="+", action="extend", help="only these parts")
    parser.add_argument("--json", type=Path, default=Path(".tradebus/bench.json"), help="where the JSON goes")
    parser.add_argument("--sync-always", action="store_true", help="pipeline, orders: only with fsync for every batch")
    parser.add_argument("--rates", type=int, nargs="+", help="pipeline, orders: events a second instead of the usual")
    parser.add_argument("--long", action="store_true", help="memory: also over ten million ticks")
    parser.add_argument("--futures", type=Path, help="sizes: also of this recording of Binance's USD-M futures")
    options = parser.parse_args(argv)
    run = Run(options)
    for part, measure in PARTS.items():
        if options.only is None or part in options.only:
            measure(run)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(run.results, indent=2) + "\n")
    run.console.print(f"written to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
