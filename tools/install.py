"""Install Tradebus into the environment that runs this, and show what pip is at: it takes a minute or more.

Only the standard library is used: nothing else is installed yet. On a terminal one line is rewritten, elsewhere a line
comes every few seconds. Arguments are pip's. Ends with pip's exit status, and with its last lines where it failed.
"""

import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator

LINES_KEPT = 15
PLAIN_PERIOD_S = 10.0
WIDTH = 78

_STEPS = (
    (re.compile(r"Collecting (\S+)"), "collecting"),
    (re.compile(r"Downloading (\S+)"), "downloading"),
    (re.compile(r"Building \S+ for (\S+)"), "building"),
    (re.compile(r"(Installing collected packages):"), ""),
)


def main(arguments: list[str]) -> int:
    """Run pip and return its exit status."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", *arguments]
    last: deque[str] = deque(maxlen=LINES_KEPT)
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert pip.stdout is not None
    _show(_steps(pip.stdout, last), began)
    status = pip.wait()
    if status:
        print("\n".join(last), file=sys.stderr)
    else:
        print(f"environment: installed in {time.monotonic() - began:.0f} s", flush=True)
    return status


def _steps(lines: Iterator[str], last: deque[str]) -> Iterator[str]:
    """Yield what pip says it is doing, numbering the packages; keep its last lines."""
    packages = 0
    for line in lines:
        last.append(line.rstrip())
        for pattern, name in _STEPS:
            found = pattern.search(line)
            if found is None:
                continue
            packages += name == "collecting"
            subject = found[1].rsplit("/", 1)[-1]
            yield f"{name} {subject} ({packages})" if name else f"installing {packages} packages"


def _show(steps: Iterator[str], began: float) -> None:
    is_terminal = sys.stdout.isatty()
    shown = began
    for step in steps:
        now = time.monotonic()
        text = f"  {now - began:4.0f} s  {step}"[:WIDTH]
        if is_terminal:
            print(f"\r\033[K{text}", end="", flush=True)
        elif now - shown >= PLAIN_PERIOD_S:
            shown = now
            print(text, flush=True)
    if is_terminal:
        print("\r\033[K", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
