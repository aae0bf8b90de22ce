"""Run the full trials: ``python -m tests.chaos [kills|pauses|all] [--seed N] [--trials N]``; `make chaos` does.

Prints every trial and a table. Ends with 1 when a trial failed or a fault never happened.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.trials import Report, run_trials, schedule

PER_SYSTEM = 20
KILLS = 200
PAUSES = 50


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
            await run_trials(
                Path(folder), faults, report, lambda line: print(line, flush=True), repeat, with_standby=pauses
            )
        begin += count
    return report


def main() -> int:
    """Parse the command line, run, print the table, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill and pause a running system.")
    parser.add_argument("kind", nargs="?", choices=("kills", "pauses", "all"), default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=None, help=f"default {KILLS} kills, {PAUSES} pauses")
    options = parser.parse_args()
    kinds = ("kills", "pauses") if options.kind == "all" else (options.kind,)
    is_good = True
    for kind in kinds:
        trials = options.trials or (KILLS if kind == "kills" else PAUSES)
        report = asyncio.run(campaign(kind, options.seed, trials))
        wanted = sorted({fault.name for fault in schedule(options.seed, trials, pauses=kind == "pauses")})
        print(f"{kind}: {report.table(wanted)}", flush=True)
        never = [name for name in wanted if not report.fired[name]]
        if never:
            print(f"{kind}: never happened: {', '.join(never)}", flush=True)
        is_good &= not report.failures and not never
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
