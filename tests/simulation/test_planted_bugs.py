"""The simulator finds what is wrong: each of these bugs, planted, breaks a promise within a few seeds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plants import AT_VENUES, PLANTS, planted
from tests.simulation.venue_world import VenueWorld
from tests.simulation.world import BrokenPromise, Menu, World, run_seed
from tradebus.core._compiled import COMPILED

ROOT = Path(__file__).resolve().parents[2]
SEEDS_MAX = 80

NEEDS_INTERPRETED_CORE = frozenset({"sequence-begins-again"})
"""These replace what is compiled; they run interpreted in any case."""


CAUGHT_BY_REPEATING = frozenset({"14-set-order", "15-machine-clock-in-step"})
"""These break no promise within one run; the second run of a seed is another one."""


MENUS = {
    "16-archive-without-fsync": Menu(power_losses=4),
    "policy-takes-back-what-an-operator-said": Menu(full_disks=6, commands=6),
}
"""What goes wrong where the faults of any seed would bring a bug out too seldom."""

LAST_CAUGHT_BY = {
    "10-stale-owner-not-refused": 9,
    "11-command-applied-twice": 6,
    "16-archive-without-fsync": 10,
    "17-checkpoint-renamed-before-fsync": 7,
    "3-sent-again-after-a-crash": 2,
    "4-timeout-taken-as-rejection": 3,
    "5-failed-query-taken-as-nothing": 14,
    "9-lost-copy-never-looked-for": 2,
    "9-no-expected-sequence": 4,
    "policy-takes-back-what-an-operator-said": 5,
}
"""The first seed that caught them when last looked: it is tried before the others, which take their time."""


def caught_after(name: str) -> tuple[int, str]:
    """Return how many seeds it took to catch a bug, and by what; fail when none did."""
    kind = VenueWorld if name in AT_VENUES else World
    first = LAST_CAUGHT_BY.get(name, 0)
    seeds = [first, *(seed for seed in range(SEEDS_MAX) if seed != first)]
    with planted(name):
        for tried, seed in enumerate(seeds, 1):
            try:
                digest = run_seed(seed, MENUS.get(name), kind).digest
                if name in CAUGHT_BY_REPEATING and run_seed(seed, kind=kind).digest != digest:
                    return tried, "two runs, two digests"
            except BrokenPromise as error:
                return tried, str(error).split("\n")[0][:160]
    raise AssertionError(f"{name}: not caught by {SEEDS_MAX} seeds")


def run_interpreted(name: str) -> None:
    """Run the test of one bug in a process of its own, with the interpreted core."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", f"{__file__}::test_a_planted_bug_is_caught[{name}]", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**inherited, "TRADEBUS_CORE": "interpreted", "TRADEBUS_EXPECT_COMPILED": "0"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_a_planted_bug_is_caught(name: str) -> None:
    if COMPILED and name in NEEDS_INTERPRETED_CORE:
        run_interpreted(name)
        return
    seeds, reason = caught_after(name)
    print(f"{name}: caught after {seeds} seeds: {reason}")
