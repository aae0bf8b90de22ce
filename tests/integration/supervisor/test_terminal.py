"""At the terminal: Ctrl-C, kill -9, the background, and no process left in any case."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.supervisor import RunLock, background
from services.supervisor.foreground import SUMMARY_FILE
from tests.integration.supervisor.conftest import HERE, ROOT, Started, fake_environment, is_gone, wait_until

RUN = str(HERE / "run_fakes.py")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def said(data: Path) -> str:
    return (data.parent / "said.txt").read_text()


def family(process: "subprocess.Popen[str]") -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


def test_ctrl_c_stops_in_order_prints_the_summary_and_leaves_no_process(
    started: Started, data: Path, config: Path
) -> None:
    with started(RUN, str(data), str(config), "market", "audit", **fake_environment()) as process:
        wait_until(lambda: "tradebus  up" in said(data))
        children = family(process)
        assert len(children) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    text = said(data)
    assert re.search(r"up +mode demo, http://127\.0\.0\.1:\d+, data and logs in ", text)
    assert "SIGINT" in text
    assert text.index("market    stopped") < text.index("audit     stopped") < text.index("nats      stopped")
    assert re.search(r"summary +1,234 events, 56 orders, 7 fills, sequence 1,290 in [\d.]+ s\n", text)
    assert json.loads((data / SUMMARY_FILE).read_text())["fills"] == 7
    assert all(is_gone(pid) for pid in children)


def test_children_end_when_the_supervisor_is_killed(started: Started, data: Path, config: Path) -> None:
    with started(RUN, str(data), str(config), "market", "audit", **fake_environment()) as process:
        wait_until(lambda: "tradebus  up" in said(data))
        children = family(process)
        assert len(children) == 3
        process.kill()
        wait_until(lambda: all(is_gone(pid) for pid in children))
    assert not RunLock(data).is_held()
    with started(RUN, str(data), str(config), "market", **fake_environment()) as process:
        wait_until(lambda: "tradebus  up" in said(data))
        process.terminate()
        assert process.wait(20) == 0


def test_a_second_ctrl_c_ends_everything_at_once(started: Started, data: Path, config: Path) -> None:
    with started(RUN, str(data), str(config), "market", **fake_environment(market="never stops")) as process:
        wait_until(lambda: "tradebus  up" in said(data))
        children = family(process)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in said(data))
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 128 + signal.SIGINT
        wait_until(lambda: all(is_gone(pid) for pid in children))


def test_a_service_that_is_not_ready_is_waited_for_in_the_foreground(
    started: Started, data: Path, config: Path
) -> None:
    with started(RUN, str(data), str(config), "market", **fake_environment(market="never starts")) as process:
        wait_until(lambda: '"event": "starting"' in _log(data, "market"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "SIGTERM" in said(data)


def test_a_crash_loop_ends_with_1(started: Started, data: Path, config: Path, tmp_path: Path) -> None:
    environment = fake_environment(market=f"crash until {tmp_path / 'never'}")
    with started(RUN, str(data), str(config), "market", **environment) as process:
        assert process.wait(60) == 1
    assert "market    failed    market crashed more than 1 times" in said(data)


def _log(data: Path, name: str) -> str:
    path = data / "logs" / f"{name}.log"
    return path.read_text() if path.exists() else ""


def test_the_background_is_started_found_and_stopped(
    data: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fake_environment().items():
        monkeypatch.setenv(name, value)
    command = (sys.executable, RUN, str(data), str(config), "market", "audit")
    try:
        assert background.start(data, command, sys.stdout) == 0
        text = capsys.readouterr().out
        assert "market    ready" in text
        holder = RunLock(data).holder()
        assert holder is not None
        assert f"in the background, process {holder.pid}; `make down` stops it" in text
        children = [child.pid for child in psutil.Process(holder.pid).children(recursive=True)]
        assert len(children) == 3

        assert background.start(data, command, sys.stdout) == 1
        assert f"already running in {data} (process {holder.pid}" in capsys.readouterr().out
    finally:
        code = background.stop(data, sys.stdout)
        for process in background._left_running:
            process.wait(10)
    assert code == 0
    assert re.search(r"summary +1,234 events, 56 orders, 7 fills", capsys.readouterr().out)
    assert all(is_gone(pid) for pid in children)

    assert background.stop(data, sys.stdout) == 0
    assert f"nothing is running in {data}" in capsys.readouterr().out


def test_a_start_in_the_background_that_fails_says_why_and_with_which_status(
    data: Path, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = (sys.executable, RUN, str(data), str(config.with_name("missing.toml")), "market")
    assert background.start(data, command, sys.stdout) == 1
    assert "missing.toml" in capsys.readouterr().out
    assert (data / "logs/up.log").exists()
