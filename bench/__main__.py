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

from bench import api, codec, engine, memory, peers, pipeline, recovery, replay, sizes, stages, state_hash, streams
from tradebus.core import COMPILED

PARTS = (
    "engine",
    "hash",
    "peers",
    "memory",
    "codec",
    "sizes",
    "replay",
    "recovery",
    "stages",
    "pipeline",
    "orders",
    "api",
    "streams",
)
# Which of our workloads a peer's is compared with.
OURS = {"no-op strategy": "no-op strategy, compiled", "an order every 1,000 events": "order every 1,000 events"}


def main(argv: Sequence[str] | None = None) -> int:  # noqa: C901 - one branch for each part
    """Measure what was asked for and return the exit code."""
    parser = argparse.ArgumentParser("python -m bench", description="measure, print tables, write JSON")
    parser.add_argument("--only", choices=PARTS, action="append", help="only these parts")
    parser.add_argument("--json", type=Path, default=Path(".tradebus/bench.json"), help="where the JSON goes")
    parser.add_argument("--sync-always", action="store_true", help="pipeline, orders: only with fsync for every batch")
    parser.add_argument("--rates", type=int, nargs="+", help="pipeline, orders: events a second instead of the usual")
    parser.add_argument("--long", action="store_true", help="memory: also over ten million ticks")
    parser.add_argument("--futures", type=Path, help="sizes: also of this recording of Binance's USD-M futures")
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
        results["memory"] = memory.measure(is_long=options.long)
        for name, found in results["memory"].items():
            console.print(f"memory: {name} {found:,}")
    if "codec" in parts:
        results["codec"] = codec.measure()
        console.print(_codec_table(results["codec"]))
    if "sizes" in parts:
        results["sizes"] = sizes.measure(options.futures)
        console.print(_sizes_table(results["sizes"]))
    if "replay" in parts:
        results["replay"] = replay.measure()
        console.print(_replay_table(results["replay"]))
    if "recovery" in parts:
        results["recovery"] = recovery.measure()
        console.print(_recovery_table(results["recovery"]))
    if "stages" in parts:
        results["stages"] = stages.measure()
        console.print(_stages_table(results["stages"]))
    for part, with_orders, usual in (("pipeline", False, pipeline.RATES), ("orders", True, pipeline.ORDER_RATES)):
        if part not in parts:
            continue
        results[part] = {}
        for sync, sync_always in (("fsync for every batch", True), ("the server's default", False)):
            if sync_always or not options.sync_always:
                found = pipeline.measure(options.rates or usual, sync_always=sync_always, with_orders=with_orders)
                results[part][sync] = found
                console.print(_orders_table(sync, found) if with_orders else _pipeline_table(sync, found))
                console.print(_cpu_table(found))
    if "streams" in parts:
        results["streams"] = streams.measure()
        console.print(_streams_table(results["streams"]))
    if "api" in parts:
        results["api"] = api.measure()
        console.print(_api_table(results["api"]))
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


def _sizes_table(results: dict[str, Any]) -> Table:
    table = Table(title="bytes of one event's tick, batches full")
    for name in ("events", "in the journal", "in the archive"):
        table.add_column(name, justify="left" if name == "events" else "right")
    for name, one in results.items():
        table.add_row(name, f"{one['journal_bytes']:.1f}", f"{one['archive_bytes']:.1f}")
    return table


def _replay_table(results: dict[str, Any]) -> Table:
    table = Table(title="a journal folded, ticks per CPU second (median of 3, lowest to highest)")
    for name in ("journal of", "folded by", "ticks/s", "spread"):
        table.add_column(name, justify="right" if name in {"ticks/s", "spread"} else "left")
    for workload, readers in results.items():
        for reader, one in readers.items():
            table.add_row(workload, reader, f"{one['median']:,}", f"{one['lowest']:,} to {one['highest']:,}")
    return table


def _stages_table(results: dict[str, Any]) -> Table:
    table = Table(title="one market event beside the bus, CPU nanoseconds (median of 5, lowest to highest)")
    for name in ("stage", "ns", "spread"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, one in results.items():
        table.add_row(name, f"{one['ns_median']:,}", f"{one['ns_lowest']:,} to {one['ns_highest']:,}")
    table.add_row("all of them", f"{sum(one['ns_median'] for one in results.values()):,}", "")
    return table


def _recovery_table(results: dict[str, Any]) -> Table:
    table = Table(title="an engine goes on, seconds (median of 3, lowest to highest)")
    for name in ("from", "ticks", "wall", "spread", "CPU"):
        table.add_column(name, justify="left" if name == "from" else "right")
    for name, one in results.items():
        wall, cpu = one["wall_s"], one.get("cpu_s")
        table.add_row(
            name,
            f"{one['ticks_replayed']:,}" if "ticks_replayed" in one else "-",
            f"{wall['median']:.2f}",
            f"{wall['lowest']:.2f} to {wall['highest']:.2f}",
            "-" if cpu is None else f"{cpu['median']:.2f}",
        )
    return table


def _pipeline_table(sync: str, results: list[dict[str, Any]]) -> Table:
    title = f"market -> engine -> journal ({sync}) -> replica: events/s, lag from receipt to replica"
    table = Table(title=title)
    for name in ("asked", "sent", "taken", "kept up", "lag p50", "lag p99"):
        table.add_column(name, justify="right")
    for one in results:
        table.add_row(
            *(f"{one[f'{name}_per_s']:,}" for name in ("target", "published", "processed")),
            f"{one['sustained_runs']} of {len(one['runs'])}",
            _milliseconds(one["lag_us_p50"]),
            _milliseconds(one["lag_us_p99"]),
        )
    return table


def _orders_table(sync: str, results: list[dict[str, Any]]) -> Table:
    title = f"market event -> order at the account's owner ({sync}): until it arrives, until it may go out"
    table = Table(title=title)
    for name in ("asked", "taken", "orders", "arrives p50", "p99", "goes out p50", "p99"):
        table.add_column(name, justify="right")
    for one in results:
        times = (_milliseconds(one[f"{which}_us_p{each}"]) for which in ("arrived", "ready") for each in (50, 99))
        counts = (f"{one[name]:,}" for name in ("target_per_s", "processed_per_s", "orders"))
        table.add_row(*counts, *times)
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


def _api_table(result: dict[str, Any]) -> Table:
    flow = f"{result['events_per_s']:,} events/s, {result['instruments']} instruments"
    table = Table(title=f"REST while {flow} flow; lag: age of an event in the replica")
    for name in ("request", "requests", "p50", "p99", "lag p50 meanwhile"):
        table.add_column(name, justify="left" if name == "request" else "right")
    lags = result["lag_ms_p50"]
    table.add_row("none", "-", "-", "-", f"{lags['alone']} ms")
    for name, key, lag in (("/v1/state", "state", "state read"), ("/v1/state?at=", "past", "past read")):
        one = result[key]
        table.add_row(name, str(one["requests"]), f"{one['ms_p50']} ms", f"{one['ms_p99']} ms", f"{lags[lag]} ms")
    return table


def _milliseconds(microseconds: float | None) -> str:
    return "-" if microseconds is None else f"{microseconds / 1_000:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
