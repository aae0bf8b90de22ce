"""Measure the bus alone: appends with fsync, reading a journal back, one way between two processes.

    python -m bench.bus_probe [--loop asyncio|uvloop|both] [--json FILE]

Starts a NATS server of its own (fsync on every write). Latencies are wall time, costs are CPU time of this process;
on a shared machine compare the latter. The library's own ``js.publish`` is measured beside ours.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path

import nats
import uvloop

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage, Message
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.provision import provision
from tradebus.bus.server import MIB, EmbeddedServer, ServerSettings
from tradebus.bus.topology import Sizes, topology
from tradebus.wire import subjects
from tradebus.wire.integrity import chained_headers

TICK_BYTES = 85
APPENDS = 2000
READ_MESSAGES = 4000
ONE_WAY_S = 3.0
_STAMP = struct.Struct("<q")


@dataclass(frozen=True)
class Row:
    """One measurement; latencies in microseconds."""

    what: str
    loop: str
    per_s: float
    p50_us: float | None
    p99_us: float | None
    cpu_us: float

    def line(self) -> str:
        """Return the measurement as a line of the table."""
        p50 = "" if self.p50_us is None else f"{self.p50_us:9.0f}"
        p99 = "" if self.p99_us is None else f"{self.p99_us:9.0f}"
        return f"{self.what:48s} {self.loop:8s} {self.per_s:12,.0f} {p50:>9s} {p99:>9s} {self.cpu_us:9.2f}"


def percentile(values: list[int], share: float) -> float:
    """Return a percentile of nanoseconds in microseconds."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1000


async def measure_appends(bus: Bus, loop: str, ticks: int) -> Row:
    """Append batches one in flight, as the engine does."""
    payload = bytes(TICK_BYTES * ticks)
    state = await bus.journal_state(subjects.audit_stream("bench"))
    last = state.last_sequence
    times: list[int] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(APPENDS):
        sent = time.perf_counter_ns()
        last = await bus.append(
            subjects.audit("bench"), payload, expected_last_sequence=last, headers=chained_headers(payload)
        )
        times.append(time.perf_counter_ns() - sent)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return Row(
        f"append, fsync, {ticks} ticks a batch (ticks/s)",
        loop,
        APPENDS * ticks / wall,
        statistics.median(times) / 1000,
        percentile(times, 0.99),
        cpu / APPENDS * 1e6,
    )


async def measure_library_appends(url: str, loop: str) -> Row:
    """Do the same with the client library's js.publish."""
    client = await nats.connect(url)
    stream = client.jetstream()
    payload = bytes(TICK_BYTES * 64)
    times: list[int] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(APPENDS):
        sent = time.perf_counter_ns()
        await stream.publish(subjects.cmd("bench"), payload, headers=chained_headers(payload))
        times.append(time.perf_counter_ns() - sent)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    await client.close()
    return Row(
        "js.publish of nats-py, fsync, 64 ticks (ticks/s)",
        loop,
        APPENDS * 64 / wall,
        statistics.median(times) / 1000,
        percentile(times, 0.99),
        cpu / APPENDS * 1e6,
    )


async def measure_reading(bus: Bus, loop: str, stream: str, what: str) -> Row:
    """Read a stream from its first message on."""
    state = await bus.journal_state(stream)
    count = 0
    size = 0

    def handle(message: JournalMessage) -> None:
        nonlocal count, size
        count += 1
        size += len(message.payload)

    began, cpu_began = time.perf_counter(), time.process_time()
    reader = await bus.consume(stream, state.first_sequence, handle)
    await reader.wait_caught_up()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    await reader.stop()
    print(f"    {count} messages, {size / wall / MIB:.0f} MiB/s")
    return Row(f"read journal, {what} (messages/s)", loop, count / wall, None, None, cpu / count * 1e6)


def receive(url: str, loop: str, results: "multiprocessing.Queue[tuple[int, float, list[int]]]") -> None:
    """Receive in a process of its own until told to stop, and report how late messages were."""

    async def run() -> None:
        bus = await NatsBus.connect(NatsOptions((url,), "receiver"))
        delays: list[int] = []
        done = asyncio.Event()

        def handle(message: Message) -> None:
            sent = _STAMP.unpack_from(message.payload)[0]
            if sent:
                delays.append(time.perf_counter_ns() - sent)
            else:
                done.set()

        await bus.subscribe("md.bench.0", handle, pending_messages_max=1_000_000)
        results.put((0, 0.0, []))
        cpu_began = time.process_time()
        await done.wait()
        results.put((len(delays), time.process_time() - cpu_began, delays))
        await bus.close()

    run_on(loop, run())


async def measure_one_way(url: str, loop: str, rate: int, size: int) -> Row:
    """Publish at a steady rate to another process; the rate is kept by bursts every millisecond or so."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[int, float, list[int]]] = context.Queue()
    receiver = context.Process(target=receive, args=(url, loop, results))
    receiver.start()
    await asyncio.to_thread(results.get)
    bus = await NatsBus.connect(NatsOptions((url,), "sender"))
    sent = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - began) < ONE_WAY_S:
        while sent < elapsed * rate:
            bus.publish("md.bench.0", _STAMP.pack(time.perf_counter_ns()) + bytes(size - _STAMP.size))
            sent += 1
        await asyncio.sleep(0.001)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    bus.publish("md.bench.0", _STAMP.pack(0))
    await bus.close()
    received, receiver_cpu, delays = await asyncio.to_thread(results.get)
    await asyncio.to_thread(receiver.join)
    lost = f", {sent - received} lost" if received != sent else ""
    print(f"    sent {sent}{lost}; receiver {receiver_cpu / max(received, 1) * 1e6:.2f} us CPU a message")
    return Row(
        f"one way, {size} B at {rate:,}/s (messages/s)",
        loop,
        received / wall,
        statistics.median(delays) / 1000,
        percentile(delays, 0.99),
        cpu / sent * 1e6,
    )


async def measure(url: str, loop: str) -> list[Row]:
    """Run everything on one kind of event loop."""
    options = NatsOptions((url,), "bench")
    sizes = Sizes(audit=2048 * MIB, account=MIB, commands=256 * MIB, dead_letters=MIB, bucket=MIB)
    await provision(options, topology(["bench"], [], sizes))
    bus = await NatsBus.connect(options)
    rows: list[Row] = []

    def note(row: Row) -> None:
        rows.append(row)
        print(row.line())

    for ticks in (1, 64, 512):
        note(await measure_appends(bus, loop, ticks))
    note(await measure_library_appends(url, loop))
    note(await measure_reading(bus, loop, subjects.cmd_stream("bench"), "64 ticks a batch"))
    note(await measure_reading(bus, loop, subjects.audit_stream("bench"), "1, 64 and 512 ticks a batch"))
    await bus.close()
    for rate, size in ((1000, 100), (10_000, 100), (2000, 5000), (80_000, 100)):
        note(await measure_one_way(url, loop, rate, size))
    return rows


def run_on(loop: str, work: Coroutine[None, None, list[Row] | None]) -> list[Row]:
    """Run a coroutine on one kind of event loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] = (
        uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    )
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work) or []


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--loop", choices=["asyncio", "uvloop", "both"], default="both")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    arguments = parser.parse_args()
    rows: list[Row] = []
    print(f"{'what':48s} {'loop':8s} {'rate':>12s} {'p50 us':>9s} {'p99 us':>9s} {'CPU us':>9s}")
    for loop in ("asyncio", "uvloop") if arguments.loop == "both" else (arguments.loop,):
        with tempfile.TemporaryDirectory() as folder, EmbeddedServer(ServerSettings(Path(folder))) as server:
            rows += run_on(loop, measure(server.url, loop))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
