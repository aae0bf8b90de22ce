"""Run the whole test suite the way `make test` does: everything once, then what is pure again on the other core.

First with the core that this machine runs, compiled where it can be compiled; then, if that was the compiled one,
the tests without processes and networks once more interpreted, where assertions of types and `Final` differ.
Arguments go to pytest in both passes. The second pass runs also when the first has failed; the exit status is the
first that is not 0.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PURE = ("unit", "property", "conformance")
ALL = (*PURE, "golden", "simulation", "integration", "e2e")


def main() -> int:
    """Run both passes; return the first exit status that is not 0."""
    compiled = _is_compiled()
    statuses = [_run("compiled" if compiled else "interpreted (nothing is compiled on this machine)", ALL, compiled)]
    if compiled:
        statuses.append(_run("interpreted", PURE, expect_compiled=False))
    return next((status for status in statuses if status), 0)


def _is_compiled() -> bool:
    """Ask a fresh interpreter which core it gets."""
    asked = subprocess.run(
        [sys.executable, "-c", "from tradebus.core._compiled import COMPILED; print(int(COMPILED))"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return asked.stdout.strip() == "1"


def _run(name: str, folders: tuple[str, ...], expect_compiled: bool) -> int:
    """Run pytest over the folders that exist, and say how long it took."""
    paths = [f"tests/{folder}" for folder in folders if (ROOT / "tests" / folder).is_dir()]
    print(f"== tests, core {name}: {' '.join(paths)}", flush=True)
    environment = dict(os.environ, TRADEBUS_EXPECT_COMPILED=str(int(expect_compiled)))
    if not expect_compiled:
        environment["TRADEBUS_CORE"] = "interpreted"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *paths, *sys.argv[1:]], cwd=ROOT, env=environment, check=False
    )
    print(f"== core {name}: exit status {done.returncode} after {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
