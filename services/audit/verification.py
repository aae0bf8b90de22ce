"""Compare the replica's own state hash with those that the engine wrote into its journal.

A replica that disagreed once is wrong from there on: later equal hashes do not make it trustworthy again. Only building
it anew does, or a record of the engine that its code changed and gives another state from there on.
"""

from dataclasses import dataclass
from enum import Enum
from typing import final

from tradebus.core.engine.audit.state_hash import StateHash


class Agreement(Enum):
    """How one root of the hash compares. Not verified: the process that took it lacks a strategy's class."""

    EQUAL = 1
    UNEQUAL = 2
    NOT_VERIFIED = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison, at the tick ``sequence``: core state and user data, with both hashes."""

    sequence: int
    core: Agreement
    user: Agreement
    engine: StateHash
    replica: StateHash

    @property
    def is_equal(self) -> bool:
        """Tell whether both roots were verified and are the same."""
        return self.core is Agreement.EQUAL and self.user is Agreement.EQUAL

    @property
    def is_unequal(self) -> bool:
        """Tell whether a root differs."""
        return Agreement.UNEQUAL in (self.core, self.user)


@final
class Verification:
    """All comparisons so far."""

    def __init__(self) -> None:
        self.equal = 0
        self.unequal = 0
        self.not_verified = 0
        self.last: Check | None = None
        self.first_unequal: Check | None = None

    def begin_anew(self) -> None:
        """Forget that we disagreed: the engine itself said that from here on another state holds, which is ours too."""
        self.first_unequal = None

    def compare(self, sequence: int, engine: StateHash, replica: StateHash) -> Check:
        """Compare what a batch holds with our own hash after its last tick."""
        check = Check(
            sequence,
            _compare(engine.core, replica.core, same_version=engine.version == replica.version),
            _compare(engine.user, replica.user, same_version=engine.version == replica.version),
            engine,
            replica,
        )
        self.last = check
        if check.is_equal:
            self.equal += 1
        elif check.is_unequal:
            self.unequal += 1
            self.first_unequal = self.first_unequal or check
        else:
            self.not_verified += 1
        return check


def _compare(engine: str, replica: str, *, same_version: bool) -> Agreement:
    if not same_version or not engine or not replica:
        return Agreement.NOT_VERIFIED
    return Agreement.EQUAL if engine == replica else Agreement.UNEQUAL
