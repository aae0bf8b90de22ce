"""Where a process can be made to die: every place is in the list, and every place in the list is in the code."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tradebus.crash_points import POINTS, VENUE_POINTS, UnknownCrashPoint, parse, plan_of

ROOT = Path(__file__).parents[2]

VISITS = """
import sys
from tradebus.crash_points import crash_point
for number in range(int(sys.argv[1])):
    crash_point("engine.after_publish")
    crash_point("engine.before_publish")
    print(number + 1, flush=True)
"""


def run(crash_at: str, visits: int) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"CRASH_AT": crash_at, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", VISITS, str(visits)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def named_in_code() -> set[str]:
    """Return what the services and the library call crash points."""
    pattern = re.compile(r"""(?:crash_point\(|stored_point=)"([a-z_.]+)"\)?""")
    files = [*(ROOT / "services").rglob("*.py"), *(ROOT / "tradebus").rglob("*.py")]
    return {name for file in files for name in pattern.findall(file.read_text())}


def test_the_list_names_every_place_in_the_code_and_no_other() -> None:
    assert named_in_code() == {*POINTS, *VENUE_POINTS}


def test_the_process_dies_at_the_nth_visit_and_not_before() -> None:
    ended = run("engine.before_publish:3", 5)
    assert (ended.returncode, ended.stdout.split()) == (-signal.SIGKILL, ["1", "2"])


def test_nothing_happens_where_nothing_is_asked_for() -> None:
    assert run("", 3).stdout.split() == ["1", "2", "3"]


def test_a_file_names_the_place_and_is_gone_when_the_process_dies(tmp_path: Path) -> None:
    file = tmp_path / "plan"
    assert run(f"@{file}", 3).returncode == 0
    file.write_text("engine.before_publish:2")
    assert run(f"@{file}", 5).returncode == -signal.SIGKILL
    assert not file.exists()
    assert run(f"@{file}", 5).returncode == 0, "the next process lives"


@pytest.mark.parametrize("text", ["engine.before_publish", "engine.before_publish:0", "nowhere:1", ":1", "x:-1"])
def test_a_wrong_value_is_refused_with_what_is_known(text: str) -> None:
    with pytest.raises(UnknownCrashPoint, match="expected name:nth with nth from 1 and one of engine"):
        parse(text)
    with pytest.raises(UnknownCrashPoint):
        plan_of(text)
