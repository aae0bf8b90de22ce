"""The real demo at a terminal: the first fill comes soon, it stays small, and no way of ending it leaves a process."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from services.runtime.ports import free_ports
from tests.support.demo import PATIENCE_S, ROOT, pids_with

FIRST_FILL_CPU_S = 20.0
"""What two cores can give in the ten seconds within which the first fill shall come; `make bench` measures those."""
MEMORY_BYTES_MAX = 600 * 1024 * 1024
PROCESSES = 5
"""NATS and the four services; the supervisor comes on top and is counted in, too."""


def wait_until(condition: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(0.02)


class Terminal:
    """`python -m services.up` in a process group of its own, as a shell starts it."""

    def __init__(self, folder: Path) -> None:
        self.marker = f"terminal-{os.getpid()}-{folder.name}"
        api, nats, grpc = free_ports(3)
        self.trades_url = f"http://127.0.0.1:{api}/v1/trades?limit=1"
        self._said = folder / "said.txt"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEBUS_")}
        settings = {
            "TRADEBUS__API__LISTEN": f"127.0.0.1:{api}",
            "TRADEBUS__API__GRPC_LISTEN": f"127.0.0.1:{grpc}",
            "TRADEBUS__NATS__URL": f"nats://127.0.0.1:{nats}",
            "TRADEBUS__RUNTIME__DATA_DIR": str(folder / "data"),
        }
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.up"],
                cwd=ROOT,
                env={**inherited, **settings, "MARKER": self.marker},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                process_group=0,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def has_said(self, words: str) -> bool:
        """Tell whether it has said this; fails when it has ended without."""
        said = self.said
        assert words in said or self.process.poll() is None, said
        return words in said

    def wait_up(self) -> None:
        wait_until(lambda: self.has_said("tradebus  up"), "the demo is up")

    def interrupt(self) -> None:
        """Press Ctrl-C: the signal goes to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def members(self) -> list[int]:
        return pids_with(self.marker)


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    made = Terminal(folder)
    try:
        yield made
    finally:
        left = made.members
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        made.process.wait()


def fills(url: str) -> int:
    """Return how many fills the REST API shows, 0 while it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http, to ourselves
            return len(json.load(answer)["data"])
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return 0


def test_the_first_fill_comes_soon_all_stays_small_and_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo:
        wait_until(lambda: demo.has_said("nats      up"), "the services are about to start")
        wait_until(lambda: fills(demo.trades_url), "the first fill is in /v1/trades")
        spent_s = sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in demo.members)
        demo.wait_up()
        members = demo.members
        assert len(members) == PROCESSES + 1
        held = sum(psutil.Process(pid).memory_info().rss for pid in members)
        demo.interrupt()
        assert demo.process.wait(PATIENCE_S) == 0
        said = demo.said
        order = [said.index(f"{name:<9} stopped") for name in ("market", "engine", "execution", "audit", "nats")]
        assert order == sorted(order)
        assert "fills, sequence " in said.partition("summary ")[2]
        assert "restarts" not in said
        assert "Traceback" not in said
        assert demo.members == []
    assert held < MEMORY_BYTES_MAX
    assert spent_s < FIRST_FILL_CPU_S


def test_ctrl_c_twice_ends_everything_at_once(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo:
        demo.wait_up()
        demo.interrupt()
        wait_until(lambda: demo.has_said("again to end at once"), "the first Ctrl-C was heard")
        demo.interrupt()
        assert demo.process.wait(PATIENCE_S) == 128 + signal.SIGINT
        assert "second signal, everything ended at once" in demo.said
        wait_until(lambda: not demo.members, "no process is left")


def test_the_supervisor_may_be_killed_and_nothing_stays_behind(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo:
        demo.wait_up()
        assert len(demo.members) == PROCESSES + 1
        demo.process.kill()
        demo.process.wait()
        wait_until(lambda: not demo.members, "no process is left")
