"""Run seeds: ``python -m tests.simulation [--seed N] [--begin N] [--seeds N] [--jobs N] [--plant NAME]``.

One seed prints what happened in it; several print progress and a table. Ends with 1 when a promise was broken, when two
runs of one seed differ, or when a fault never happened.
"""

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.campaign import Sum, kind_of, some
from tests.simulation.plants import PLANTS, planted
from tests.simulation.test_seeds import FAULTS
from tests.simulation.world import BrokenPromise, run_seed

SEEDS = 5_000
TOLD_EVERY = 100
SEEDS_A_TIME = 10


def main() -> int:
    """Parse the command line, run, print, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Run simulated systems.")
    parser.add_argument("--seed", type=int, default=None, help="one seed, told in full")
    parser.add_argument("--begin", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes; default: one for each core")
    parser.add_argument("--plant", choices=sorted(PLANTS), default=None, help="with a planted bug")
    options = parser.parse_args()
    if options.seed is not None:
        return one(options.seed, options.plant)
    return many(options.begin, options.seeds, options.jobs, options.plant)


def one(seed: int, plant: str | None) -> int:
    """Run a seed once, and say what it came to."""
    try:
        with planted(plant):
            run = run_seed(seed, kind=kind_of(seed))
    except BrokenPromise as error:
        print(f"seed {seed}: {error}")
        return 1
    print(f"seed {seed}: digest {run.digest}, {run.ticks} ticks, {run.fills} fills")
    for name, count in sorted((run.fired + run.ends).items()):
        print(f"  {name:<50} {count:>6}")
    return 0


def many(begin: int, seeds: int, jobs: int, plant: str | None) -> int:
    """Run seeds on all cores; print progress and a table."""
    whole = Sum()
    parts = [(first, min(first + SEEDS_A_TIME, begin + seeds)) for first in range(begin, begin + seeds, SEEDS_A_TIME)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(some, *zip(*parts, strict=True), [plant] * len(parts)):
            whole.add(part)
            for failure in part.failures:
                print(failure, flush=True)
            if whole.seeds % TOLD_EVERY == 0:
                print(f"{whole.seeds:>6} of {seeds} seeds, {len(whole.failures)} failed", flush=True)
    print(f"{seeds} seeds, {whole.repeated} of them twice: {len(whole.failures)} failed; {dict(whole.counts)}")
    for name in sorted({*FAULTS, *whole.fired}):
        print(f"  {name:<50} {whole.fired[name]:>8}")
    print("programs that ended with an error, and were started again:")
    for name, count in sorted(whole.ends.items()):
        print(f"  {name:<50} {count:>8}")
    never = sorted(name for name in FAULTS if not whole.fired[name])
    if never:
        print(f"never happened: {', '.join(never)}")
    for failure in whole.failures:
        print(failure)
    return 1 if whole.failures or never else 0


if __name__ == "__main__":
    sys.exit(main())
