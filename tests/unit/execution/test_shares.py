"""However accounts and replicas come and go, each replica comes to own its fair share, and then nobody moves."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.execution.shares import Ask, Give, next_move

MOVES_MAX = 200


class Replicas:
    """Accounts and who owns them; every replica sees the truth, or what was true a while ago."""

    def __init__(self, accounts: int, members: int) -> None:
        self.accounts = [f"a{number}" for number in range(accounts)]
        self.members = [f"m{number}" for number in range(members)]
        self.owners: dict[str, str] = {}

    def owned_by(self, member: str) -> list[str]:
        return [account for account, owner in self.owners.items() if owner == member]

    def counts(self) -> list[int]:
        return sorted(len(self.owned_by(member)) for member in self.members)

    def move(self, member: str, seen: dict[str, str]) -> bool:
        """Let one replica move by what it sees; return whether anything changed. A lease has one holder."""
        others = {account: owner for account, owner in seen.items() if owner != member}
        move = next_move(self.accounts, others, self.members, self.owned_by(member), member)
        if isinstance(move, Ask):
            return self.owners.setdefault(move.account, member) == member
        if isinstance(move, Give):
            assert self.owners.pop(move.account) == member
            return True
        return False

    def settle(self, rng: Random, *, stale: bool = False) -> None:
        """Let replicas move in any order until nobody wants to."""
        for _ in range(MOVES_MAX):
            before = dict(self.owners)
            moved = False
            for member in rng.sample(self.members, len(self.members)):
                moved |= self.move(member, before if stale and rng.random() < 0.5 else dict(self.owners))
            if not moved and dict(self.owners) == before:
                return
        raise AssertionError(f"they never come to rest: {self.owners}")

    def check(self) -> None:
        assert set(self.owners) == set(self.accounts), "every account has an owner"
        counts = self.counts()
        assert counts[-1] - counts[0] <= 1, f"shares are uneven: {Counter(self.owners.values())}"


@settings(max_examples=300)
@given(
    accounts=st.integers(0, 12),
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
    stale=st.booleans(),
)
def test_shares_become_even_and_stay(accounts: int, counts: list[int], seed: int, stale: bool) -> None:
    rng = Random(seed)
    replicas = Replicas(accounts, counts[0])
    for count in counts:
        replicas.members = [f"m{number}" for number in range(count)]
        replicas.owners = {a: owner for a, owner in replicas.owners.items() if owner in replicas.members}
        replicas.settle(rng, stale=stale)
        if accounts:
            replicas.check()


def test_with_two_accounts_and_three_replicas_one_stands_by() -> None:
    replicas = Replicas(2, 3)
    replicas.settle(Random(1))
    assert replicas.counts() == [0, 1, 1]


def test_a_replica_alone_asks_for_everything_one_by_one() -> None:
    assert isinstance(next_move(["a", "b"], {}, ["m"], [], "m"), Ask)
    assert next_move(["a", "b"], {}, ["m"], ["a"], "m") == Ask("b")
    assert next_move(["a", "b"], {}, ["m"], ["a", "b"], "m") is None


def test_one_that_joins_gets_its_share_from_who_has_most() -> None:
    assert next_move(["a", "b"], {}, ["m", "n"], ["a", "b"], "m") == Give("b")
    assert next_move(["a", "b"], {"a": "m"}, ["m", "n"], [], "n") == Ask("b")
    assert next_move(["a", "b"], {"b": "n"}, ["m", "n"], ["a"], "m") is None


@pytest.mark.parametrize(("me", "gives"), [("m1", True), ("m2", False)])
def test_of_those_who_have_most_the_first_gives(me: str, gives: bool) -> None:
    owned = {"m1": ["a", "b"], "m2": ["c", "d"]}
    owners = {account: owner for owner, accounts in owned.items() for account in accounts if owner != me}
    move = next_move(["a", "b", "c", "d"], owners, ["m1", "m2", "m3"], owned[me], me)
    assert isinstance(move, Give) == gives


def test_an_owner_that_is_no_member_any_more_still_owns() -> None:
    assert next_move(["a", "b"], {"a": "gone", "b": "gone"}, ["m"], [], "m") is None
