"""Print at the end of a run what became of the reference's vectors."""

from collections import Counter

import pytest

from tests.conformance.engine.outcome import LEDGER, Outcome

COLUMNS = (Outcome.PASSED, Outcome.DIFFERS, Outcome.FAILED, Outcome.NOT_RUN)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write one line per file; below it which rules made cases differ and why others are not run."""
    if not any(outcome is not Outcome.NOT_RUN for _, outcome, _ in LEDGER.outcomes.values()):
        return
    files: dict[str, Counter[Outcome]] = {}
    whys: dict[str, Counter[tuple[Outcome, str]]] = {}
    for case, outcome, why in LEDGER.outcomes.values():
        files.setdefault(case.file, Counter())[outcome] += 1
        for text in why:
            whys.setdefault(case.file, Counter())[outcome, text] += 1
    terminalreporter.section("conformance with barter 0.12.5")
    heads = [column.value for column in COLUMNS]
    terminalreporter.write_line(f"{'file':<40}" + "".join(f"{head:>17}" for head in heads))
    for file, counts in sorted(files.items()):
        terminalreporter.write_line(f"{file:<40}" + "".join(f"{counts[column]:>17}" for column in COLUMNS))
        for (outcome, text), count in sorted(whys.get(file, Counter()).items(), key=lambda item: item[0][1]):
            word = "rule" if outcome is Outcome.DIFFERS else "not run"
            terminalreporter.write_line(f"    {word} {count} x {text}")
    total = sum(files.values(), Counter[Outcome]())
    terminalreporter.write_line(f"{'all':<40}" + "".join(f"{total[column]:>17}" for column in COLUMNS))
