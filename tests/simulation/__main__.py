"""Run seeds: ``python -m tests.simulation [--seed N] [--seeds N] [--plant NAME]``.

One seed prints what happened in it; several print progress and a table. Ends with 1 when a promise was broken, when two
runs of one seed differ, or when a fault never happened.
"""

import argparse
import sys
from collections import Counter

from tests.simulation.plants import PLANTS, planted
from tests.simulation.test_seeds import FAULTS
from tests.simulation.world import BrokenPromise, run_seed
from tradebus.core.model.number import enter_engine_context

SEEDS = 5_000
TOLD_EVERY = 100


def main() -> int:
    """Parse the command line, run, print, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Run simulated systems.")
    parser.add_argument("--seed", type=int, default=None, help="one seed, told in full")
    parser.add_argument("--begin", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--plant", choices=sorted(PLANTS), default=None, help="with a planted bug")
    options = parser.parse_args()
    enter_engine_context()
    with planted(options.plant):
        return one(options.seed) if options.seed is not None else many(options.begin, options.seeds)


def one(seed: int) -> int:
    """Run a seed once, and say what it came to."""
    try:
        outcome = run_seed(seed)
    except BrokenPromise as error:
        print(f"seed {seed}: {error}")
        return 1
    print(f"seed {seed}: digest {outcome.digest}, {outcome.ticks} ticks, {outcome.fills} fills")
    for name, count in sorted((outcome.fired + outcome.ends).items()):
        print(f"  {name:<50} {count:>6}")
    return 0


def many(begin: int, seeds: int) -> int:
    """Run seeds, each twice; print progress and a table."""
    fired: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    failures: list[str] = []
    for seed in range(begin, begin + seeds):
        try:
            outcome, again = run_seed(seed), run_seed(seed)
        except BrokenPromise as error:
            failures.append(f"seed {seed}: {error}")
            print(failures[-1], flush=True)
            continue
        if outcome.digest != again.digest:
            failures.append(f"seed {seed}: two runs, two digests\n    repeat: python -m tests.simulation --seed {seed}")
        fired += outcome.fired
        ends += outcome.ends
        sums += Counter(ticks=outcome.ticks, fills=outcome.fills, hashes=outcome.hashes)
        if (seed - begin + 1) % TOLD_EVERY == 0:
            print(f"{seed - begin + 1:>6} of {seeds} seeds, {len(failures)} failed", flush=True)
    print(f"{seeds} seeds, each twice: {len(failures)} failed; {dict(sums)}")
    for name in sorted({*FAULTS, *fired}):
        print(f"  {name:<50} {fired[name]:>8}")
    print("programs that ended with an error, and were started again:")
    for name, count in sorted(ends.items()):
        print(f"  {name:<50} {count:>8}")
    never = sorted(name for name in FAULTS if not fired[name])
    if never:
        print(f"never happened: {', '.join(never)}")
    for failure in failures:
        print(failure)
    return 1 if failures or never else 0


if __name__ == "__main__":
    sys.exit(main())
