"""List what of the reference is not built yet, so that the table at the end of the run can say so.

Everything that is neither run nor listed here fails.
"""

from tests.conformance.engine.vectors import Case

NOT_BUILT: dict[tuple[str, str], str] = {}


def reason(case: Case) -> str | None:
    """Return why a case is not run, none if it is."""
    for group in (case.group, "*"):
        found = NOT_BUILT.get((case.file, group))
        if found is not None:
            return found
    return None
