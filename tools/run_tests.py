"""Run the whole test suite the way `make test` does: the pure tests interpreted, then everything compiled.

Where the core is compiled the tests without processes and networks run interpreted first: there nothing but mypy
guards types and `Final`, and a difference between the two builds is a bug. Where nothing can be compiled everything
runs once, interpreted. Arguments go to pytest in both passes. The second pass runs also when the first has failed; the
exit status is the first that is not 0, and pytest's closing line comes last.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PURE = ("unit", "property", "conformance")
ALL = (*PURE, "golden", "simulation", "integration", "e2e")


def main() -> int:
    """Run the passes; return the first exit status that is not 0."""
    if not _is_compiled():
        print("== nothing is compiled on this machine: all tests run once, interpreted", flush=True)
        return _run(ALL, is_compiled=False)
    interpreted = _run(PURE, is_compiled=False)
    compiled = _run(ALL, is_compiled=True)
    if interpreted:
        print(f"== the interpreted pass before this one failed, exit status {interpreted}", flush=True)
    return interpreted or compiled


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


def _run(folders: tuple[str, ...], is_compiled: bool) -> int:
    """Run pytest over the folders that exist, with the core given; return its exit status."""
    paths = [f"tests/{folder}" for folder in folders if (ROOT / "tests" / folder).is_dir()]
    print(f"== core {'compiled' if is_compiled else 'interpreted'}: {' '.join(paths)}", flush=True)
    environment = dict(
        os.environ,
        TRADEBUS_EXPECT_COMPILED=str(int(is_compiled)),
        TRADEBUS_CORE="compiled" if is_compiled else "interpreted",
    )
    command = [sys.executable, "-m", "pytest", *paths, *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
