"""Stop the audit service under load, for minutes: nothing is lost, it catches up, and the engine does not notice.

Time is cut into windows of one length. Two windows with everything running are an identical pair, and what such pairs
differ by is the noise; a window without the audit service (stopped or killed) makes a pair with the one before. What is
compared is the median time from an event's receipt by the market service to its place on disk in the journal, by the
server's own clock, read from the journal afterwards.

``python -m tests.chaos.audit_trials`` runs the full length.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.trials import PATIENT
from tests.support.demo import Demo, demo_settings, running
from tests.support.system import until
from tradebus.bus.message import JournalMessage
from tradebus.core.market.event import MarketEvent
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects

WINDOW_S = 120.0
PAIRS = 4
CATCH_UP_S = 300.0
SETTLE_S = 3.0
LOAD = (
    "market.sim_alpha.generator.events_per_s=600",
    "market.sim_beta.generator.events_per_s=400",
    "engine.hash_every.ticks=1000",
    "audit.prune=false",
    "runtime.log_level=warning",
)
RUNNING, STOPPED, KILLED = "running", "stopped", "killed"


@dataclass
class Window:
    """Ticks of one stretch of time, and the engine's latencies in it, in nanoseconds."""

    kind: str
    first: int
    last: int
    latencies_ns: list[int] = field(default_factory=list)

    @property
    def median_us(self) -> float:
        return statistics.median(self.latencies_ns) / 1_000


async def sequence_of(demo: Demo, name: str) -> int:
    return int((await demo.data(name)).get("sequence") or -1)


async def window(demo: Demo, kind: str, seconds: float) -> Window:
    """Let one window pass, with the audit service as ``kind`` says; return when that has caught up again."""
    pid = demo.supervisor.pid("audit")
    assert pid is not None, "the audit service runs between windows"
    if kind == STOPPED:
        os.kill(pid, signal.SIGSTOP)
    elif kind == KILLED:
        await demo.supervisor.kill("audit")
    await asyncio.sleep(SETTLE_S)  # what stopping it costs is over; time itself is what is measured here
    first = await sequence_of(demo, "engine")
    await asyncio.sleep(seconds)
    last = await sequence_of(demo, "engine")
    if kind == STOPPED:
        os.kill(pid, signal.SIGCONT)
    elif kind == KILLED:
        await demo.supervisor.restart("audit")
    await caught_up(demo)
    return Window(kind, first, last)


async def caught_up(demo: Demo) -> None:
    """Return when the replica has everything that the engine has put on disk until now, all hashes equal."""
    wanted = int((await demo.data("engine"))["durable_sequence"])

    async def abreast() -> bool:
        data = await demo.data("audit")
        return bool(data) and data.get("sequence", -1) >= wanted and data["verification"]["unequal"] == 0

    await until(abreast, f"the replica has caught up with tick {wanted}", CATCH_UP_S)


async def measure(demo: Demo, windows: list[Window]) -> None:
    """Read the journal from its beginning, every batch verified, and sort latencies into the windows."""
    verifier = AuditVerifier()

    def take(message: JournalMessage) -> None:
        for tick in verifier.accept(message).ticks:
            event = tick.event
            if isinstance(event, MarketEvent):
                for each in windows:
                    if each.first < tick.sequence <= each.last:
                        each.latencies_ns.append(message.time_ns - event.time_received_ns)

    reader = await demo.bus.consume(subjects.audit_stream(demo.engine_id), 1, take)
    await reader.wait_caught_up()
    await reader.stop()


async def run_windows(folder: Path, seconds: float, pairs: int) -> list[Window]:
    """Run the demo through all windows; at the end everything agrees. Returns them with their latencies."""
    async with running(folder, demo_settings(*LOAD), PATIENT) as demo:
        await demo.wait_connected()
        await demo.wait_fills(5)
        kinds = [kind for number in range(pairs) for kind in (RUNNING, RUNNING, (STOPPED, KILLED)[number % 2])]
        windows = [await window(demo, kind, seconds) for kind in kinds]
        await demo.at_rest()
        await demo.check_accounts()
        await demo.check_journal()
        await measure(demo, windows)
    return windows


def report(windows: list[Window]) -> tuple[str, bool]:
    """Return the figures for people, and whether the engine was not slower by more than identical pairs differ."""
    lines: list[str] = []
    noise: list[float] = []
    effect: list[float] = []
    for before, same, without in zip(windows[0::3], windows[1::3], windows[2::3], strict=True):
        noise.append(same.median_us / before.median_us)
        effect.append(without.median_us / same.median_us)
        lines.append(
            f"  {before.median_us:>8.0f} {same.median_us:>8.0f} us running; {without.median_us:>8.0f} us "
            f"{without.kind}; ratio of the identical pair {noise[-1]:.3f}, without the audit service {effect[-1]:.3f}"
        )
    widest = max(max(ratio, 1 / ratio) for ratio in noise)
    ratio = statistics.median(effect)
    is_good = ratio <= widest
    events = sum(len(each.latencies_ns) for each in windows)
    lines.append(
        f"  {events} events; identical pairs differ by up to {widest:.3f}, without the audit service the median is "
        f"{ratio:.3f} of the one before{'' if is_good else ': SLOWER'}"
    )
    return "\n".join(lines), is_good


def main() -> int:
    """Run, print the table, and return the exit status: 1 when the engine was slower, or something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.audit_trials")
    parser.add_argument("--seconds", type=float, default=WINDOW_S, help="of one window")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradebus-audit-") as folder:
        windows = asyncio.run(run_windows(Path(folder), options.seconds, options.pairs))
    text, is_good = report(windows)
    print(f"audit service stopped for {options.seconds:g} s at a time:\n{text}", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
