"""Decide which account to ask for, or to give up, so that every replica comes to own its fair share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the lease of an account that nobody owns."""

    account: str


@dataclass(frozen=True, slots=True)
class Give:
    """Give up an account, so that a replica that owns less than its share can have one."""

    account: str


Move: TypeAlias = Ask | Give


def next_move(
    accounts: Sequence[str], owners: Mapping[str, str], members: Iterable[str], own: Sequence[str], me: str
) -> Move | None:
    """Return what replica ``me``, which owns ``own``, should do next, none when it should leave all as it is.

    ``owners`` are the owners of ``accounts`` that are owned, ``members`` the replicas that take part. Whatever moves
    are made in whatever order, the shares end up as even as the numbers allow, and then nobody moves any more.
    """
    counts = Counter(dict.fromkeys(members, 0))
    counts.update(owner for account, owner in owners.items() if account in accounts and owner != me)
    counts[me] = len(own)
    share_least = len(accounts) // len(counts)
    share_most = -(-len(accounts) // len(counts))
    mine = counts.pop(me)
    others_least = min(counts.values(), default=share_most)
    free = [account for account in accounts if account not in owners and account not in own]
    if free:
        # Somebody who owns less than everybody is due goes first.
        is_my_turn = mine < share_least or (mine < share_most and others_least >= share_least)
        return Ask(free[sum(me.encode()) % len(free)]) if is_my_turn else None
    if not own:
        return None
    has_too_many = mine > share_most and others_least < share_most
    # Of those who own most the first by name gives; were all to give, the accounts would go round for ever.
    is_first_of_most = not any(count > mine or (count == mine and name < me) for name, count in counts.items())
    if has_too_many or (others_least < share_least and is_first_of_most):
        return Give(own[-1])
    return None
