"""Say in every test run whether the core was compiled, and refuse a run that expected otherwise.

``TRADEBUS_EXPECT_COMPILED`` is ``1`` or ``0`` where the caller knows, as `make test` does; without it both are fine.
"""

import os
import platform
import sys

import pytest
from hypothesis import settings

from tradebus.core._compiled import COMPILED

EXPECTATION = "TRADEBUS_EXPECT_COMPILED"

# What an example takes says more about who else uses the machine than about the code; the timeout of tests holds.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def core_line() -> str:
    """Describe the core that this run tests."""
    return f"tradebus.core: {'COMPILED' if COMPILED else 'interpreted'}, Python {platform.python_version()}"


def foreign_modules() -> list[str]:
    """Return the loaded modules of the core that are not built as the core says it is."""
    suffix = ".so" if COMPILED else ".py"
    loaded = {name: module for name, module in sys.modules.items() if name.startswith("tradebus.core")}
    return sorted(name for name, module in loaded.items() if not str(module.__file__).endswith(suffix))


def pytest_configure() -> None:
    expected = os.environ.get(EXPECTATION)
    if expected not in {None, "0", "1"}:
        raise pytest.UsageError(f"{EXPECTATION}: expected 1 or 0, found {expected!r}")
    if expected is not None and (expected == "1") != COMPILED:
        wanted = "a compiled core" if expected == "1" else "an interpreted core"
        raise pytest.UsageError(f"{EXPECTATION}={expected} expects {wanted}, but {core_line()}")


def pytest_report_header() -> str:
    return core_line()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which compiled and interpreted modules of the core were mixed."""
    if foreign_modules():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat it at the end, where a quiet run shows it too."""
    mixed = foreign_modules()
    if mixed:
        terminalreporter.write_line(f"{core_line()}, but these are not: {', '.join(mixed)}", red=True)
    else:
        terminalreporter.write_line(core_line())
