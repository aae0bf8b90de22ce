"""Two hundred systems, forty of them with an account at a venue, in which everything goes wrong.

Every eighth runs twice and must give the same journals.
"""

import random
from collections import Counter

import pytest

from tests.simulation.campaign import is_repeated
from tests.simulation.venue_world import VenueWorld
from tests.simulation.world import Menu, RunResult, World, run_seed

SEEDS = 160
VENUE_SEEDS = 40
PER_TEST = 10

FAULTS = frozenset(
    {
        "lose_message",
        "double_message",
        "delay_message",
        "lose_append",
        "late_append",
        "lose_ack",
        "refuse_append",
        "slow_reader",
        "kill",
        "power_loss",
        "outage",
        "cut_link",
        "full_disk",
        "disk_full",
        "clock_step",
        "usurper",
        "command",
        "pruned_audit",
        "pruned_acct",
        "pruned_cmd",
    }
)
"""Everything that a menu can hold; in two hundred seeds all of it must have happened."""

REGRESSIONS: tuple[tuple[int, type[World]], ...] = ((9, VenueWorld), (2014, VenueWorld))
"""Seeds that failed once, each with the world that they are of."""


def twice(seed: int, kind: type[World] = World) -> RunResult:
    """Run a seed two times; both must give the same journals, byte by byte."""
    first, second = run_seed(seed, kind=kind), run_seed(seed, kind=kind)
    assert first.digest == second.digest, (
        f"seed {seed}: two runs, two results: python -m tests.simulation --seed {seed}"
    )
    assert first.fired == second.fired
    return first


def once_or_twice(seed: int, kind: type[World] = World) -> RunResult:
    """Run a seed, and some of them two times."""
    return twice(seed, kind) if is_repeated(seed) else run_seed(seed, kind=kind)


@pytest.mark.parametrize("begin", range(0, SEEDS, PER_TEST))
def test_no_seed_breaks_a_promise(begin: int) -> None:
    fired: Counter[str] = Counter()
    for seed in range(begin, begin + PER_TEST):
        outcome = once_or_twice(seed)
        assert outcome.ticks > 100
        assert outcome.hashes > 0
        fired += outcome.fired
    assert fired, "nothing went wrong in any of them"


@pytest.mark.parametrize("begin", range(0, VENUE_SEEDS, PER_TEST))
def test_no_seed_breaks_a_promise_about_a_venue(begin: int) -> None:
    fired: Counter[str] = Counter()
    for seed in range(begin, begin + PER_TEST):
        outcome = once_or_twice(seed, VenueWorld)
        assert outcome.ticks > 100
        fired += outcome.fired
    assert any(name.startswith("venue_") for name in fired)


@pytest.mark.parametrize(("seed", "kind"), REGRESSIONS)
def test_a_seed_that_failed_once_holds(seed: int, kind: type[World]) -> None:
    twice(seed, kind)


def test_the_menus_of_all_seeds_hold_every_fault() -> None:
    """What a menu holds is drawn first, so it can be told without a run."""
    held: Counter[str] = Counter()
    for seed in range(SEEDS):
        menu = Menu.drawn(random.Random(seed))
        held.update(name for name, odds in vars(menu.odds).items() if odds)
        held.update(name for name, count in vars(menu).items() if name != "odds" and count)
    assert min(held.values()) > 20, held
    assert len(held) == 19, held
