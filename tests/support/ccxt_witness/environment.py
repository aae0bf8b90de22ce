"""Make the environment that ccxt lives in, once: it pins its dependencies exactly and would dictate ours.

The environment stays in `.tradebus/ccxt-venv` of the checkout and is reused while it works.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Final

REQUIREMENT: Final = "ccxt>=4.4,<5"
"""Any of these speaks the protocol; its author releases almost daily, so an exact version would soon be gone."""
ENVIRONMENT: Final = Path(__file__).resolve().parents[3] / ".tradebus" / "ccxt-venv"
_INSTALL_TIMEOUT_S: Final = 240
_CHECK_TIMEOUT_S: Final = 60
_TOLD_LENGTH_MAX: Final = 300


class WitnessUnavailable(Exception):
    """ccxt cannot be installed here; the message says why."""


def witness_python(environment: Path = ENVIRONMENT) -> Path:
    """Return the interpreter of an environment that has ccxt, making it where there is none.

    Raises WitnessUnavailable when it cannot be made: no network, no registry, no such version.
    """
    environment.parent.mkdir(parents=True, exist_ok=True)
    python = environment / "bin" / "python"
    # Two test runs at once must not build one environment together.
    with (environment.parent / "ccxt-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_ready(python):
            _run([sys.executable, "-m", "venv", "--clear", str(environment)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT])
    return python


def _is_ready(python: Path) -> bool:
    if not python.exists():
        return False
    try:
        done = subprocess.run(
            [python, "-c", "import ccxt; print(ccxt.__version__)"],
            capture_output=True,
            text=True,
            timeout=_CHECK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.startswith("4.")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WitnessUnavailable(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip()[-_TOLD_LENGTH_MAX:]
        raise WitnessUnavailable(f"{' '.join(command)} ended with status {done.returncode}: {told}")
