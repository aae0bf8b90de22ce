"""A program that still loads ends at once when it is told to stop, as it must where it is the first of a container."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOADING = """
import time
from services.early import end_on_stop
end_on_stop()
print("loads", flush=True)
time.sleep(60)
"""


def test_a_program_that_loads_ends_with_0() -> None:
    with subprocess.Popen([sys.executable, "-c", LOADING], cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "loads\n"
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0


@pytest.mark.parametrize("service", ["market", "engine", "execution", "audit"])
def test_every_service_answers_before_it_loads_anything_else(service: str) -> None:
    tree = ast.parse((ROOT / "services" / service / "__main__.py").read_text())
    after_docstring = tree.body[1:]
    assert ast.unparse(after_docstring[0]) == "from services.early import end_on_stop"
    assert ast.unparse(after_docstring[1]) == "end_on_stop()"
