"""Every case of the reference's vectors: equal, different by a listed rule, or listed as not built."""

import re
from pathlib import Path

import pytest

from tests.conformance.engine import (
    accounts,
    audit,
    execution,
    instruments,
    links,
    market,
    mock_exchange,
    orders,
    positions,
    replicas,
    risk,
    statistics,
    summary,
    vectors,
)
from tests.conformance.engine.differences import DIFFERENCES
from tests.conformance.engine.not_built import NOT_BUILT, reason
from tests.conformance.engine.outcome import LEDGER, Check, Outcome
from tests.conformance.engine.vectors import Case

RUNNERS = {
    place: run
    for module in (
        positions,
        orders,
        links,
        market,
        replicas,
        audit,
        instruments,
        accounts,
        mock_exchange,
        execution,
        risk,
        statistics,
        summary,
    )
    for place, run in module.RUNNERS.items()
}
CASES = vectors.cases()
BUILT = [case for case in CASES if reason(case) is None]
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "differences.md"

for _case in CASES:
    _why = reason(_case)
    if _why is not None:
        LEDGER.note(_case, Outcome.NOT_RUN, (_why,))


@pytest.mark.parametrize("case", BUILT, ids=str)
def test_reference(case: Case) -> None:
    LEDGER.note(case, Outcome.FAILED)
    run = RUNNERS.get((case.file, case.group))
    assert run is not None, f"{case.file}, group {case.group}: neither run nor listed as not built"
    check = Check(case)
    run(case, check)
    LEDGER.note(case, Outcome.DIFFERS if check.rules else Outcome.PASSED, tuple(check.rules))


def test_cases_were_found() -> None:
    assert CASES
    assert len({str(case) for case in CASES}) == len(CASES), "ids are unique within their group"


@pytest.mark.skipif(not vectors.is_own(), reason="other vectors need not exercise every rule")
def test_lists_hold_nothing_that_no_vector_needs() -> None:
    places = {(case.file, case.group) for case in CASES} | {(case.file, "*") for case in CASES}
    assert not set(NOT_BUILT) - places
    assert not set(RUNNERS) - places
    for name, difference in DIFFERENCES.items():
        assert not set(difference.places) - places, name


def test_every_difference_is_documented_and_tested_where_the_document_says() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in DIFFERENCES if f"`{name}`" not in document] == []
    named = re.findall(r"`(tests/[^`]+)`", document)
    assert len(named) > 20
    assert [path for path in named if not (DOCUMENT.parents[1] / path).exists()] == []
