"""Run the whole test suite the way `make test` does: the tests of the core in both builds, everything else compiled.

Where the core is compiled its tests, and those of what is closest to it, run interpreted first: there nothing but mypy
guards types and `Final`, and a difference between the two builds is a bug. Where nothing can be compiled everything
runs once, interpreted. All passes use all cores: tests of one file stay in one process, servers and whole systems have
ports and folders of their own. Arguments go to pytest in every pass. Later passes run also when one has failed;
the exit status is the first that is not 0, and pytest's closing line comes last.

What needs containers has a target of its own, `make compose-test`: building images takes longer than most tests.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ("unit/core", "unit/wire", "unit/engine", "property/core", "property/wire", "property/services")
PURE = ("unit", "property")
CONFORMANCE = ("conformance/engine", "conformance/market")
SYSTEMS = ("chaos", "simulation", "e2e", "integration", "conformance/bus", "golden")
"""Those with the longest tests first, and as they are listed: what is begun last should be short."""


def main() -> int:
    """Run the passes; return the first exit status that is not 0."""
    builds = (False, True) if _is_compiled() else (False,)
    if len(builds) == 1:
        print("== nothing is compiled on this machine: all tests run once, interpreted", flush=True)
    cores = os.cpu_count() or 1
    statuses = [_run(CORE, "--hypothesis-profile=brief", is_compiled=False, workers=cores)] if builds[-1] else []
    statuses.append(_run(PURE, is_compiled=builds[-1], workers=cores))
    # In one process, because it ends with a table over all its cases.
    statuses += [_run(CONFORMANCE, is_compiled=build) for build in builds]
    # Servers and whole systems wait for each other, and would leave the cores idle a tenth of the time.
    statuses.append(_run(SYSTEMS, "-m", "not docker", is_compiled=builds[-1], workers=cores + 2))
    failed = [status for status in statuses if status]
    if failed and not statuses[-1]:
        print(f"== an earlier pass failed, exit status {failed[0]}", flush=True)
    return failed[0] if failed else 0


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


def _run(folders: tuple[str, ...], *options: str, is_compiled: bool, workers: int = 0) -> int:
    """Run pytest over the folders that exist, with the core given, in so many processes; return its exit status."""
    paths = [f"tests/{folder}" for folder in folders if (ROOT / "tests" / folder).is_dir()]
    print(f"== core {'compiled' if is_compiled else 'interpreted'}: {' '.join(paths)}", flush=True)
    environment = dict(
        os.environ,
        TRADEBUS_EXPECT_COMPILED=str(int(is_compiled)),
        TRADEBUS_CORE="compiled" if is_compiled else "interpreted",
    )
    spread = ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"] if workers else []
    command = [sys.executable, "-m", "pytest", *paths, *spread, *options, *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
