"""Run the full trials: ``python -m tests.chaos [KIND|all] [--seed N] [--trials N]``; `make chaos` does.

Kinds: ``kills`` and ``pauses`` of programs, ``outages`` of NATS of 0.1 to 60 s, ``disks`` that are full.

Prints every trial and a table. Ends with 1 when a trial failed or a fault never happened.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.disks import SIZES, DiskFull, small_disks
from tests.chaos.outages import series
from tests.chaos.trials import Report, run_trials, schedule

PER_SYSTEM = 20
KILLS = 200
PAUSES = 50
DISKS = 8
KINDS = ("kills", "pauses", "outages", "disks")


async def campaign(kind: str, seed: int, trials: int) -> Report:
    """Run so many trials of a kind, a new system for every ``PER_SYSTEM`` of them."""
    report = Report()
    begin = 0
    while begin < trials:
        count = min(PER_SYSTEM, trials - begin)
        run_seed = seed + begin // PER_SYSTEM
        repeat = f"python -m tests.chaos {kind} --seed {run_seed} --trials {count}"
        print(f"{kind} {begin + 1} to {begin + count} of {trials}: {repeat}", flush=True)
        with tempfile.TemporaryDirectory(prefix="tradebus-chaos-") as folder:
            pauses = kind == "pauses"
            faults = schedule(run_seed, count, pauses=pauses)
            await run_trials(Path(folder), faults, report, _tell, repeat, with_standby=pauses)
        begin += count
    return report


async def campaign_of_outages() -> Report:
    """Take NATS away for each length of time, killed and frozen, from one system."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="tradebus-chaos-") as folder:
        await run_trials(Path(folder), series(), report, _tell, "python -m tests.chaos outages")
    return report


async def campaign_of_disks(trials: int) -> Report:
    """Fill the disk of each program in turn. Raises MountRefused where this machine mounts nothing for us."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="tradebus-chaos-") as folder, small_disks(Path(folder) / "data") as disks:
        faults = [DiskFull(name, disks[name], 5) for name in disks]
        rounds = (faults * trials)[:trials]
        await run_trials(Path(folder), rounds, report, _tell, f"python -m tests.chaos disks --trials {trials}")
    return report


def run_kind(kind: str, seed: int, trials: int | None) -> tuple[Report, list[str]]:
    """Run the trials of a kind; return what happened, and which faults must have."""
    if kind == "outages":
        return asyncio.run(campaign_of_outages()), sorted({fault.name for fault in series()})
    if kind == "disks":
        return asyncio.run(campaign_of_disks(trials or DISKS)), [f"disk full {name}" for name in SIZES]
    count = trials or (KILLS if kind == "kills" else PAUSES)
    report = asyncio.run(campaign(kind, seed, count))
    return report, sorted({fault.name for fault in schedule(seed, count, pauses=kind == "pauses")})


def _tell(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Parse the command line, run, print the table, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Do bad things to a running system.")
    parser.add_argument("kind", nargs="?", choices=(*KINDS, "all"), default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--trials", type=int, default=None, help=f"default {KILLS} kills, {PAUSES} pauses, {DISKS} full disks"
    )
    options = parser.parse_args()
    is_good = True
    for kind in KINDS if options.kind == "all" else (options.kind,):
        report, wanted = run_kind(kind, options.seed, options.trials)
        print(f"{kind}: {report.table(wanted)}", flush=True)
        never = [name for name in wanted if not report.fired[name]]
        if never:
            print(f"{kind}: never happened: {', '.join(never)}", flush=True)
        is_good &= not report.failures and not never
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
