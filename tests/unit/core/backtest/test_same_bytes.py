"""The same input gives the same bytes in any process, whatever its hash seed, compiled or not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tradebus._build import CORE_VARIABLE, compiled_files, mismatch

ROOT = Path(__file__).resolve().parents[4]

PROGRAM = """
import hashlib
from tests.support.flow import market_flow, ready_made
from tradebus import backtest
from tradebus.core import COMPILED

result = backtest(market_flow(600, seed=11), ready_made(), close_out=True, equity_period_ns=1_000_000_000)
text = hashlib.sha256((result.to_json() + result.summary.text()).encode()).hexdigest()
print(COMPILED, result.fills, result.digest, result.hash.core, result.hash.user, text)
"""


def run(core: str, seed: str) -> list[str]:
    """Return what a fresh interpreter prints: whether it is compiled, then what must be equal."""
    environment = {
        **os.environ,
        CORE_VARIABLE: core,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_two_processes_with_other_hash_seeds_give_the_same_bytes() -> None:
    first, second = run("interpreted", "1"), run("interpreted", "77")
    assert first == second
    assert first[0] == "False"
    assert int(first[1]) > 20


@pytest.mark.skipif(
    not compiled_files() or mismatch() is not None, reason="the core is not compiled from this source; `make compile`"
)
def test_the_compiled_core_gives_the_same_bytes() -> None:
    compiled = run("compiled", "3")
    assert compiled[0] == "True"
    assert compiled[1:] == run("interpreted", "4")[1:]
