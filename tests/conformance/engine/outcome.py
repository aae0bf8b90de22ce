"""Judge one case: what equals the reference, what differs by a rule, and what is not run and why.

The ledger keeps what became of every case, for the table at the end of the run.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from tests.conformance.engine.differences import DIFFERENCES
from tests.conformance.engine.vectors import Case

TOLERANCE = Decimal("1e-18")


class Outcome(Enum):
    """What became of a case."""

    PASSED = "passed"
    DIFFERS = "differs by rule"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(slots=True)
class Ledger:
    """What became of each case, by case; for those that differ the rules, for those not run the reason."""

    outcomes: dict[str, tuple[Case, Outcome, tuple[str, ...]]] = field(default_factory=dict)

    def note(self, case: Case, outcome: Outcome, why: tuple[str, ...] = ()) -> None:
        """Keep the outcome of a case; a later one replaces it."""
        self.outcomes[str(case)] = (case, outcome, why)


LEDGER = Ledger()


class Check:
    """Compares one case with what we do; whatever differs must be in the list, for this file and group."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._tolerance = Decimal(str(case.data.get("tolerance", TOLERANCE)))
        self.rules: list[str] = []

    def equal(self, what: str, ours: object, expected: object) -> None:
        """Fail unless ours is what the reference does; numbers may differ by the case's tolerance."""
        assert self.same(ours, expected), f"{self._case}: {what}: the reference has {expected!r}, ours {ours!r}"

    def same(self, ours: object, expected: object) -> bool:
        """Tell whether ours is what the reference does."""
        if isinstance(ours, Decimal) and isinstance(expected, Decimal | str):
            wanted = Decimal(expected)
            return abs(ours - wanted) <= self._tolerance * max(Decimal(1), abs(wanted))
        return ours == expected

    def differs(self, rule: str, what: str, ours: object, our_value: object) -> None:
        """Note that a rule applies, and fail unless ours is what the rule says."""
        difference = DIFFERENCES[rule]
        places = [
            place for place in difference.places if self._case.file == place[0] and place[1] in {"*", self._case.group}
        ]
        assert places, f"{self._case}: rule {rule} is not for this file and group"
        assert self.same(ours, our_value), (
            f"{self._case}: {what}: by rule {rule} expected {our_value!r}, found {ours!r}"
        )
        if rule not in self.rules:
            self.rules.append(rule)

    def equal_or(self, rule: str, what: str, ours: object, expected: object, our_value: object) -> None:
        """Compare with the reference where it and the rule agree, else hold ours to the rule and note it."""
        if self.same(ours, expected):
            self.equal(what, ours, our_value)
        else:
            self.differs(rule, what, ours, our_value)
