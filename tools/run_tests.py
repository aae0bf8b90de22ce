"""Run the whole test suite the way `make test` does: the tests of the core in both builds, everything else compiled.

Where the core is compiled its tests, and those of what is closest to it, run interpreted first: there nothing but mypy
guards types and `Final`, and a difference between the two builds is a bug. Where nothing can be compiled everything
runs once, interpreted. All passes use all cores: tests of one file stay in one process, servers and whole systems have
ports and folders of their own. Arguments go to pytest in every pass. Later passes run also when one has failed;
the exit status is the first that is not 0, and pytest's closing line comes last.

Where a Docker engine answers, the images that the compose tests need are built beside the first passes: whole systems
wait more than they compute, and would wait for the images too. A build that fails is told by those tests, which build
again from what it left.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ("unit/core", "unit/wire", "unit/engine", "property/core", "property/wire", "property/services")
PURE = ("unit", "property")
CONFORMANCE = ("conformance/engine", "conformance/market")
SYSTEMS = ("chaos", "simulation", "e2e", "integration", "conformance/bus", "golden")
"""Those with the longest tests first, and as they are listed: what is begun last should be short."""


def main() -> int:
    """Run the passes; return the first exit status that is not 0."""
    images = _begin_images()
    builds = (False, True) if _is_compiled() else (False,)
    if len(builds) == 1:
        print("== nothing is compiled on this machine: all tests run once, interpreted", flush=True)
    cores = os.cpu_count() or 1
    statuses = [_run(CORE, "--hypothesis-profile=brief", is_compiled=False, workers=cores)] if builds[-1] else []
    statuses.append(_run(PURE, is_compiled=builds[-1], workers=cores))
    # In one process, because it ends with a table over all its cases.
    statuses += [_run(CONFORMANCE, is_compiled=build) for build in builds]
    _await_images(images)
    # Servers and whole systems wait for each other, and would leave a core idle.
    statuses.append(_run(SYSTEMS, is_compiled=builds[-1], workers=cores + 1))
    failed = [status for status in statuses if status]
    if failed and not statuses[-1]:
        print(f"== an earlier pass failed, exit status {failed[0]}", flush=True)
    return failed[0] if failed else 0


def _begin_images() -> "subprocess.Popen[bytes] | None":
    """Start to build the images, if there is an engine that can."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return None
    print("== building the images of the compose tests beside the first passes", flush=True)
    return subprocess.Popen(
        [docker, "compose", "build", "--quiet"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _await_images(images: "subprocess.Popen[bytes] | None") -> None:
    """Wait for the images, and say how long that took."""
    if images is None:
        return
    begun = time.monotonic()
    status = images.wait()
    print(f"== images: exit status {status}, waited {time.monotonic() - begun:.0f} s", flush=True)


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
