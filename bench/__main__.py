"""Run every benchmark: print tables, write `bench.json` (or the file given). `make bench`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import codec, engine, memory, peers, pipeline, state_hash, streams
from tradebus.core import COMPILED

PARTS = ("engine", "hash", "peers", "memory", "codec", "pipeline", "streams")
# Which of our workloads a peer's is compared with.
OURS = {"no-op strategy": "no-op strategy, compiled", "an order every 1,000 events": "order every 1,000 events"}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and return the exit code."""
    parser = argparse.ArgumentParser("python -m bench", description="measure, print tables, write JSON")
    parser.add_argument("--only", choices=PARTS, action="append", help="only these parts")
    parser.add_argument("--json", type=Path, default=Path(".tradebus/bench.json"), help="where the JSON goes")
    parser.add_argument("--sync-always", action="store_true", help="pipeline: fsync every batch")
    options = parser.parse_args(argv)
    parts = options.only or PARTS
    console = Console(highlight=False)
    results: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "compiled": COMPILED,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    if "engine" in parts:
        results["engine"] = engine.measure_both()
        console.print(_engine_table(results["engine"]))
    if "hash" in parts:
        results["hash"] = state_hash.measure()
        console.print(_hash_table(results["hash"]))
    if "peers" in parts:
        results["peers"] = peers.measure()
        console.print(_peers_table(results["peers"], results.get("engine", {}).get("compiled", {})))
    if "memory" in parts:
        results["memory"] = memory.measure()
        for name, found in results["memory"].items():
            console.print(f"memory: {name} {found:,}")
    if "codec" in parts:
        results["codec"] = codec.measure()
        console.print(_codec_table(results["codec"]))
    if "pipeline" in parts:
        results["pipeline"] = pipeline.measure(sync_always=options.sync_always)
        console.print(_pipeline_table(results["pipeline"]))
        console.print(_cpu_table(results["pipeline"]))
    if "streams" in parts:
        results["streams"] = streams.measure()
        console.print(_streams_table(results["streams"]))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(results, indent=2) + "\n")
    console.print(f"written to {options.json}")
    return 0


def _engine_table(results: dict[str, Any]) -> Table:
    table = Table(title="engine alone, market events per CPU second (median of 5, lowest to highest)")
    table.add_column("build")
    table.add_column("workload")
    table.add_column("events/s", justify="right")
    table.add_column("spread", justify="right")
    for build, rates in results.items():
        for name, one in rates.items():
            table.add_row(build, name, f"{one['median']:,}", f"{one['lowest']:,} to {one['highest']:,}")
    return table


def _hash_table(results: dict[str, Any]) -> Table:
    table = Table(title="state hash every 10,000 ticks (median of 5): CPU of one, and its share of the ticks' own")
    for name in ("state", "hash", "whole", "share", "highest"):
        table.add_column(name, justify="left" if name == "state" else "right")
    for name, one in results.items():
        times = (f"{one[f'{each}_us']:,.0f} us" for each in ("hash", "whole"))
        shares = (f"{one[each]:.1f} %" for each in ("share_percent", "share_percent_highest"))
        table.add_row(name, *times, *shares)
    return table


def _peers_table(results: dict[str, Any], ours: dict[str, Any]) -> Table:
    table = Table(title="others on the same feed, events per CPU second (median of 3); ours divided by theirs")
    for name in ("system", "workload", "events/s", "ratio"):
        table.add_column(name, justify="right" if name in {"events/s", "ratio"} else "left")
    for system, workloads in results.items():
        for workload, one in workloads.items():
            own = ours.get(OURS[workload])
            ratio = "-" if own is None else f"{own['median'] / one['median']:.1f}"
            table.add_row(system, workload, f"{one['median']:,}", ratio)
    return table


def _codec_table(results: dict[str, Any]) -> Table:
    table = Table(title="codec, CPU nanoseconds a message (median of 5)")
    for name in ("message", "bytes", "encode", "decode"):
        table.add_column(name, justify="left" if name == "message" else "right")
    for name, one in results.items():
        table.add_row(name, str(one["bytes"]), f"{one['encode_ns']:,.0f}", f"{one['decode_ns']:,.0f}")
    return table


def _pipeline_table(results: list[dict[str, Any]]) -> Table:
    table = Table(title="market -> engine -> journal -> replica over NATS: events/s, lag from receipt to replica")
    for name in ("asked", "sent", "taken", "kept up", "lag p50", "lag p99"):
        table.add_column(name, justify="right")
    for one in results:
        table.add_row(
            *(f"{one[f'{name}_per_s']:,}" for name in ("target", "published", "processed")),
            "yes" if one["sustained"] else "NO",
            _milliseconds(one["lag_us_p50"]),
            _milliseconds(one["lag_us_p99"]),
        )
    return table


def _cpu_table(results: list[dict[str, Any]]) -> Table:
    table = Table(title="the same, CPU microseconds per event of each process")
    for name in ("asked", *pipeline.PROCESSES):
        table.add_column(name, justify="right")
    for one in results:
        used = one["cpu_us_per_event"]
        table.add_row(f"{one['target_per_s']:,}", *(f"{used.get(name, 0):.1f}" for name in pipeline.PROCESSES))
    return table


def _streams_table(results: dict[str, Any]) -> Table:
    title = (
        f"{results['readers']} streams, while events flow from market to replica (medians of {streams.ROUNDS} phases)"
    )
    table = Table(title=title)
    table.add_column("what")
    table.add_column("", justify="right")
    for name, found in results["summary"].items():
        table.add_row(name.replace("_", " "), f"{found:,}")
    return table


def _milliseconds(microseconds: float | None) -> str:
    return "-" if microseconds is None else f"{microseconds / 1_000:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
