"""Run many seeds, some of them twice, and add up what happened; a module of its own, for other processes to run it."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.plants import planted
from tests.simulation.venue_world import VenueWorld
from tests.simulation.world import BrokenPromise, RunResult, World, run_seed

TWICE_EVERY = 8


@dataclass
class Sum:
    """What some seeds came to."""

    seeds: int = 0
    repeated: int = 0
    """How many of them ran twice."""
    fired: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add_run(self, run: RunResult) -> None:
        """Add one seed."""
        self.fired += run.fired
        self.ends += run.ends
        self.counts += Counter(ticks=run.ticks, fills=run.fills, hashes=run.hashes)

    def add(self, other: "Sum") -> None:
        """Add what others came to."""
        self.seeds += other.seeds
        self.repeated += other.repeated
        self.fired += other.fired
        self.ends += other.ends
        self.counts += other.counts
        self.failures += other.failures


def kind_of(seed: int) -> type[World]:
    """Return what system a seed runs: every fifth has an account at a venue."""
    return VenueWorld if seed % 5 == 4 else World


def is_repeated(seed: int) -> bool:
    """Tell whether a seed is one of those that run twice and must give the same journals."""
    return seed % TWICE_EVERY == 0


def some(begin: int, end: int, plant: str | None) -> Sum:
    """Run some seeds."""
    result = Sum(end - begin)
    with planted(plant):
        for seed in range(begin, end):
            try:
                kind = kind_of(seed)
                run = run_seed(seed, kind=kind)
                again = run_seed(seed, kind=kind) if is_repeated(seed) or plant else None
            except BrokenPromise as error:
                result.failures.append(f"seed {seed}: {error}")
                continue
            result.repeated += again is not None
            if again is not None and run.digest != again.digest:
                repeat = f"python -m tests.simulation --begin {seed} --seeds 1"
                result.failures.append(f"seed {seed}: two runs, two digests\n    repeat: {repeat}")
            result.add_run(run)
    return result
