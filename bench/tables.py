"""The tables that the benchmarks print, one function for each."""

from typing import Any

from rich.table import Table

from bench.pipeline import PROCESSES
from bench.streams import ROUNDS

# Which of our workloads a peer's is compared with.
OURS = {"no-op strategy": "no-op strategy, compiled", "an order every 1,000 events": "order every 1,000 events"}


def engine(results: dict[str, Any]) -> Table:
    """Show events a second of the engine alone, for each build."""
    table = Table(title="engine alone, market events per CPU second (median of 5, lowest to highest)")
    table.add_column("build")
    table.add_column("workload")
    table.add_column("events/s", justify="right")
    table.add_column("spread", justify="right")
    for build, rates in results.items():
        for name, one in rates.items():
            table.add_row(build, name, f"{one['median']:,}", f"{one['lowest']:,} to {one['highest']:,}")
    return table


def state_hash(results: dict[str, Any]) -> Table:
    """Show what a hash of the state costs."""
    table = Table(title="state hash every 10,000 ticks (median of 5): CPU of one, and its share of the ticks' own")
    for name in ("state", "hash", "whole", "share", "highest"):
        table.add_column(name, justify="left" if name == "state" else "right")
    for name, one in results.items():
        times = (f"{one[f'{each}_us']:,.0f} us" for each in ("hash", "whole"))
        shares = (f"{one[each]:.1f} %" for each in ("share_percent", "share_percent_highest"))
        table.add_row(name, *times, *shares)
    return table


def peers(results: dict[str, Any], ours: dict[str, Any]) -> Table:
    """Show other systems, and ours divided by theirs."""
    table = Table(title="others on the same feed, events per CPU second (median of 3); ours divided by theirs")
    for name in ("system", "workload", "events/s", "ratio"):
        table.add_column(name, justify="right" if name in {"events/s", "ratio"} else "left")
    for system, workloads in results.items():
        for workload, one in workloads.items():
            own = ours.get(OURS[workload])
            ratio = "-" if own is None else f"{own['median'] / one['median']:.1f}"
            table.add_row(system, workload, f"{one['median']:,}", ratio)
    return table


def codec(results: dict[str, Any]) -> Table:
    """Show what each message costs to encode and decode."""
    table = Table(title="codec, CPU nanoseconds a message (median of 5)")
    for name in ("message", "bytes", "encode", "decode"):
        table.add_column(name, justify="left" if name == "message" else "right")
    for name, one in results.items():
        table.add_row(name, str(one["bytes"]), f"{one['encode_ns']:,.0f}", f"{one['decode_ns']:,.0f}")
    return table


def sizes(results: dict[str, Any]) -> Table:
    """Show bytes of an event in journal and archive."""
    table = Table(title="bytes of one event's tick, batches full")
    for name in ("events", "in the journal", "in the archive"):
        table.add_column(name, justify="left" if name == "events" else "right")
    for name, one in results.items():
        table.add_row(name, f"{one['journal_bytes']:.1f}", f"{one['archive_bytes']:.1f}")
    return table


def replay(results: dict[str, Any]) -> Table:
    """Show how fast a journal is folded, by each of its readers."""
    table = Table(title="a journal folded, ticks per CPU second (median of 3, lowest to highest)")
    for name in ("journal of", "folded by", "ticks/s", "spread"):
        table.add_column(name, justify="right" if name in {"ticks/s", "spread"} else "left")
    for workload, readers in results.items():
        for reader, one in readers.items():
            table.add_row(workload, reader, f"{one['median']:,}", f"{one['lowest']:,} to {one['highest']:,}")
    return table


def stages(results: dict[str, Any]) -> Table:
    """Show what one market event costs each process."""
    table = Table(title="one market event beside the bus, CPU nanoseconds (median of 5, lowest to highest)")
    for name in ("stage", "ns", "spread"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, one in results.items():
        table.add_row(name, f"{one['ns_median']:,}", f"{one['ns_lowest']:,} to {one['ns_highest']:,}")
    table.add_row("all of them", f"{sum(one['ns_median'] for one in results.values()):,}", "")
    return table


def recovery(results: dict[str, Any]) -> Table:
    """Show how long an engine takes to go on."""
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


def pipeline(sync: str, results: list[dict[str, Any]]) -> Table:
    """Show how late the replica is at each rate."""
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


def orders(sync: str, results: list[dict[str, Any]]) -> Table:
    """Show how late an order is at its account's owner."""
    title = f"market event -> order at the account's owner ({sync}): until it arrives, until it may go out"
    table = Table(title=title)
    for name in ("asked", "taken", "orders", "arrives p50", "p99", "goes out p50", "p99"):
        table.add_column(name, justify="right")
    for one in results:
        times = (_milliseconds(one[f"{which}_us_p{each}"]) for which in ("arrived", "ready") for each in (50, 99))
        counts = (f"{one[name]:,}" for name in ("target_per_s", "processed_per_s", "orders"))
        table.add_row(*counts, *times)
    return table


def cpu(results: list[dict[str, Any]]) -> Table:
    """Show what each process spends on an event."""
    table = Table(title="the same, CPU microseconds per event of each process")
    for name in ("asked", *PROCESSES):
        table.add_column(name, justify="right")
    for one in results:
        used = one["cpu_us_per_event"]
        table.add_row(f"{one['target_per_s']:,}", *(f"{used.get(name, 0):.1f}" for name in PROCESSES))
    return table


def streams(results: dict[str, Any]) -> Table:
    """Show what many readers of a stream cost, and how late they are."""
    title = f"{results['readers']} streams, while events flow from market to replica (medians of {ROUNDS} phases)"
    table = Table(title=title)
    table.add_column("what")
    table.add_column("", justify="right")
    for name, found in results["summary"].items():
        table.add_row(name.replace("_", " "), f"{found:,}")
    return table


def demo(results: dict[str, Any]) -> Table:
    """Show how soon the demo trades, and what it holds."""
    table = Table(title="the demo, from the start of the services to its first fill (median of 3)")
    for name in ("what", "median", "spread"):
        table.add_column(name, justify="left" if name == "what" else "right")
    names = {"seconds": "first fill, seconds", "cpu_s": "CPU seconds until then", "mib": "MiB held"}
    for key, one in results.items():
        table.add_row(names[key], f"{one['median']:g}", f"{one['lowest']:g} to {one['highest']:g}")
    return table


def api(result: dict[str, Any]) -> Table:
    """Show how fast the API answers while events flow."""
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


def memory(results: dict[str, Any]) -> Table:
    """Show how memory grew."""
    table = Table(title="memory, bytes")
    table.add_column("what")
    table.add_column("", justify="right")
    for name, found in results.items():
        table.add_row(name, f"{found:,}")
    return table
